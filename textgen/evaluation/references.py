"""Compares a model's answers to prompts with the answers that a table has.

Reference:
    BLEU and chrF as sacrebleu computes them, https://aclanthology.org/W18-6319; ROUGE-L: Lin,
    2004, https://aclanthology.org/W04-1013; exact match and F1: Rajpurkar et al., "SQuAD", 2016.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from textgen.catalog import Catalog
from textgen.corpus import Notices, find_files, read_rows, read_text
from textgen.errors import ConfigError, CorpusError
from textgen.evaluation.bootstrap import Bootstrap, Figure
from textgen.inference import TextGenerator

_ROWS_PER_CALL = 16
_NEEDED = ("sacrebleu", "rouge_score")
# Scripts that put no spaces between words.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class ReferenceScores:
    """How close a model's answers are to those of a table.

    Attributes:
        name: The model's name.
        num_rows: Prompts.
        figures: BLEU, chrF and ROUGE-L from 0 to 100; exact match and F1 from 0 to 1.
        answers: What the model answered.
    """

    name: str
    num_rows: int
    figures: dict[str, Figure]
    answers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        figures = {name: figure.to_dict() for name, figure in self.figures.items()}
        return {"name": self.name, "num_rows": self.num_rows, "figures": figures}


def score_references(
    name: str | None,
    paths: Sequence[str],
    models_dir: str | os.PathLike[str] | None = None,
    *,
    columns: tuple[str, str] = ("prompt", "answer"),
    max_new_tokens: int = 200,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> ReferenceScores:
    """Let a model answer the prompts of a table, at temperature 0, and compare the answers.

    Args:
        name: The model's name or path; `None` is the newest.
        paths: Tables: CSV, TSV, JSON Lines or JSON arrays.
        models_dir: The models folder.
        columns: The columns of prompts and of answers.
        max_new_tokens: Length of an answer at most; it ends at the end of the text before.
        on_progress: Called with the model's name, the prompts done and in all.

    Raises:
        ConfigError: If sacrebleu or rouge-score is not installed.
        CorpusError: If a file is no table, or a row lacks a prompt or an answer.
    """
    if any(find_spec(package) is None for package in _NEEDED):
        raise ConfigError(
            "Comparing with references needs sacrebleu and rouge-score: "
            "pip install sacrebleu rouge-score"
        )
    entry = Catalog(models_dir).find(name)
    prompts, references = _read_pairs(paths, columns)
    answers: list[str] = []
    with TextGenerator(entry) as model:
        for start in range(0, len(prompts), _ROWS_PER_CALL):
            batch = prompts[start : start + _ROWS_PER_CALL]
            results = model.generate_batch(batch, temperature=0.0, max_new_tokens=max_new_tokens)
            answers += [result.text.strip() for result in results]
            on_progress(entry.name, len(answers), len(prompts))
    return ReferenceScores(
        entry.name, len(prompts), compare_answers(answers, references), tuple(answers)
    )


def _read_pairs(paths: Sequence[str], columns: tuple[str, str]) -> tuple[list[str], list[str]]:
    pairs: tuple[list[str], list[str]] = ([], [])
    for source in find_files(paths):
        if source.format == "text":
            raise CorpusError(f"{source.name}: this is not a table of prompts and answers.")
        for texts, column in zip(pairs, columns, strict=True):
            chunks = read_text(source, "utf-8")
            # A skipped row is an error below, so its notice is not needed.
            texts += read_rows(chunks, source.format, column, source.name, notices=Notices())
        if len(pairs[0]) != len(pairs[1]):
            raise CorpusError(f"{source.name}: a row lacks its {columns[0]} or its {columns[1]}.")
    return pairs


def compare_answers(answers: Sequence[str], references: Sequence[str]) -> dict[str, Figure]:
    """Return how close answers are to references, with intervals over the rows.

    Args:
        answers: What a model answered.
        references: What it should have answered; as many, at least one.

    Example:
        >>> compare_answers(["the cat sat"], ["The cat sat."])["exact match"].value
        1.0
    """
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    bootstrap = Bootstrap(len(answers))
    ones = np.ones(len(answers))
    is_unspaced = any(map(_UNSPACED.search, references))
    scorer = RougeScorer(["rougeL"], use_stemmer=False, tokenizer=_Words())
    rows = {
        "ROUGE-L": [
            100 * scorer.score(reference, answer)["rougeL"].fmeasure
            for answer, reference in zip(answers, references, strict=True)
        ],
        "exact match": [
            float(words(answer) == words(reference))
            for answer, reference in zip(answers, references, strict=True)
        ],
        "F1": [
            _f1(words(answer), words(reference))
            for answer, reference in zip(answers, references, strict=True)
        ],
    }
    figures = {
        name: _corpus_figure(metric, answers, references)
        for name, metric in (
            ("BLEU", BLEU(tokenize="zh" if is_unspaced else "13a", effective_order=True)),
            ("chrF", CHRF()),
        )
    }
    figures.update({name: bootstrap.ratio(np.array(row), ones) for name, row in rows.items()})
    return figures


def _corpus_figure(metric: Any, answers: Sequence[str], references: Sequence[str]) -> Figure:
    """Return a figure of the whole corpus, from the counts that each row adds to it."""
    counts = np.array(metric._extract_corpus_statistics(list(answers), [list(references)]), float)

    def score(sums: np.ndarray) -> np.ndarray:
        rows = np.atleast_2d(sums)
        scores = [metric._compute_score_from_stats([int(n) for n in row]).score for row in rows]
        return np.array(scores).reshape(sums.shape[:-1])

    return Bootstrap(len(answers)).figure(score, counts)


def words(text: str) -> list[str]:
    """Return the words of a text without case and punctuation; Chinese and kana by character.

    Example:
        >>> words("The cat, 明月.")
        ['the', 'cat', '明', '月']
    """
    spaced = _UNSPACED.sub(lambda hit: f" {hit[0]} ", unicodedata.normalize("NFKC", text).lower())
    return "".join(
        " " if unicodedata.category(c).startswith(("P", "Z", "C")) else c for c in spaced
    ).split()


class _Words:
    """`words` as rouge-score asks for it."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def _f1(answer: list[str], reference: list[str]) -> float:
    common = (Counter(answer) & Counter(reference)).total()
    if not common:
        return float(answer == reference)
    return 2 * common / (len(answer) + len(reference))
