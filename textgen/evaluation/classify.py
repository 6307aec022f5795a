"""Which label a text fits best: the one under which the model finds it most likely.

Every label is as likely as any other before the text is read.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgen.catalog import Catalog
from textgen.config import CorpusConfig
from textgen.corpus import (
    Notices,
    describe,
    find_files,
    join_blocks,
    read_blocks,
    to_exchanges,
)
from textgen.corpus.editing import Editor
from textgen.corpus.exchanges import ExchangeMaker
from textgen.errors import ConfigError, CorpusError
from textgen.evaluation.bootstrap import Bootstrap, Figure
from textgen.evaluation.texts import corpus_config
from textgen.evaluation.token_scores import score_windows
from textgen.evaluation.windows import Windows
from textgen.inference import TextGenerator

# Texts whose scores are in memory at a time, under every label.
_TEXTS_PER_CALL = 64


@dataclass(frozen=True)
class Classified:
    """A text with its label.

    Attributes:
        text: The text.
        label: The label that fits best.
        probabilities: How probable each label is, by label.
        truth: The label that the file has, if it was asked for.
    """

    text: str
    label: str
    probabilities: dict[str, float]
    truth: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Agreement:
    """How often a model's labels are the true ones.

    Attributes:
        labels: All labels, in the order of rows and columns.
        confusion: int64[L, L], the texts by true label and by the model's.
        accuracy: The fraction of texts with the true label, with an interval.
    """

    labels: tuple[str, ...]
    confusion: np.ndarray
    accuracy: Figure

    @property
    def precision(self) -> np.ndarray:
        """Of the texts that the model gives each label, the fraction that has it, float64[L]."""
        return _ratios(self.confusion.diagonal(), self.confusion.sum(0))

    @property
    def recall(self) -> np.ndarray:
        """Of the texts that have each label, the fraction that the model gives it, float64[L]."""
        return _ratios(self.confusion.diagonal(), self.confusion.sum(1))

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall, float64[L]."""
        return _ratios(2 * self.confusion.diagonal(), self.confusion.sum(0) + self.confusion.sum(1))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        figures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            "accuracy": self.accuracy.to_dict(),
            **{
                name: dict(zip(self.labels, values.tolist(), strict=True))
                for name, values in figures.items()
            },
            "confusion": self.confusion.tolist(),
            "labels": list(self.labels),
        }


def classify(
    name: str | None,
    paths: Sequence[str],
    models_dir: str | os.PathLike[str] | None = None,
    *,
    text_column: str | None = None,
    against: str | None = None,
    against_files: bool = False,
    on_progress: Callable[[str, int], None] = lambda what, done: None,
) -> Iterator[Classified]:
    """Yield the documents of files with the labels that fit them best.

    Args:
        name: The model's name or path; `None` is the newest.
        paths: Files, folders or globs. Every row of a table is a text; other files are split into
            documents as the model's corpus was, or are a text each.
        models_dir: The models folder.
        text_column: Column or key of the text in tables. Defaults to that of the corpus.
        against: Column or key of the true label in tables.
        against_files: Whether the name of each file is the true label of its texts.
        on_progress: Called with the model's name and the number of texts done.

    Raises:
        ConfigError: If the model has no labels.
        CorpusError: If a file cannot be read, has no text, or has a label that the model lacks.

    Example:
        >>> [text.label for text in classify("styles", ["new.csv"])]
        ['poem']
    """
    entry = Catalog(models_dir).find(name)
    config = corpus_config(entry)
    # Files that were joined into one text in training are a text each.
    split = "file" if config.split_documents == "none" else config.split_documents
    config = dataclasses.replace(
        config,
        split_documents=split,
        prompt_column=None,
        label_column=against,
        label_files=against_files,
    )
    if text_column is not None:
        config = dataclasses.replace(config, text_column=text_column)
    with TextGenerator(entry) as model:
        labels = model.make_prompts.labels
        if not labels:
            raise ConfigError(
                f"The model {entry.name!r} was trained without labels, so it cannot classify texts."
            )
        done = 0
        texts = _read(paths, config, labels, against is not None or against_files)
        while batch := [*itertools.islice(texts, _TEXTS_PER_CALL)]:
            scores = np.stack(
                [_score(model, label, [text for text, _ in batch]) for label in labels], 1
            )
            for (text, truth), row in zip(batch, scores, strict=True):
                probabilities = np.exp(row - np.logaddexp.reduce(row)).tolist()
                yield Classified(
                    text,
                    labels[int(row.argmax())],
                    dict(zip(labels, probabilities, strict=True)),
                    truth,
                )
            done += len(batch)
            on_progress(entry.name, done)
        if not done:
            raise CorpusError("There is no text to classify.")


def agreement(texts: Sequence[Classified]) -> Agreement:
    """Return how often the labels of texts are the true ones.

    Args:
        texts: Texts with true labels; at least one.

    Example:
        >>> one = Classified("Tyger", "poem", {"poem": 0.9, "prose": 0.1}, truth="poem")
        >>> agreement([one]).accuracy.value
        1.0
    """
    labels = tuple(texts[0].probabilities)
    index = {label: number for number, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    right = np.array([float(text.truth == text.label) for text in texts])
    for text in texts:
        if text.truth is not None:
            confusion[index[text.truth], index[text.label]] += 1
    return Agreement(labels, confusion, Bootstrap(len(texts)).ratio(right, np.ones(len(texts))))


def _read(
    paths: Sequence[str], config: CorpusConfig, labels: Sequence[str], has_truth: bool
) -> Iterator[tuple[str, str | None]]:
    """Yield texts, each with its true label if the files have one."""
    sources = find_files(paths, encoding=config.encoding)
    notices = Notices()
    # Without a template, a label's prompt is the label itself.
    maker = ExchangeMaker(config, Editor(config), lambda messages: messages[-1]["content"])
    own = {maker.clean(label): label for label in labels}
    for document in join_blocks(read_blocks(sources, config, notices=notices, maker=maker)):
        for prompt, text in to_exchanges(document):
            if has_truth and prompt not in own:
                raise CorpusError(
                    f"{describe(sources)}: a label must be one of "
                    f"{', '.join(map(repr, labels[:10]))}. Received: {prompt!r:.40}"
                )
            yield text, own[prompt] if has_truth else None
    notices.warn()


def _score(model: TextGenerator, label: str, texts: Sequence[str]) -> np.ndarray:
    """Return the log-probability of each text under a label, float64[len(texts)].

    Of a text that is longer than the context, the beginning counts: what follows is predicted
    without the label.
    """
    tokenizer, context = model.tokenizer, model.card.model.context_length
    (prompt,), _ = model.make_prompts([""], label)
    ends = ([tokenizer.prefix_id(True)], [tokenizer.special.eos])
    rows, skips = [], []
    for given, text in tokenizer.encode_pairs([model.clean(prompt)] * len(texts), texts):
        rows.append(np.concatenate([ends[0], given, text, ends[1]])[: context + 1])
        skips.append(min(len(given), context - 1))
    sizes = np.array([len(row) for row in rows], np.int64)
    starts = np.cumsum(sizes) - sizes
    windows = Windows(np.concatenate(rows).astype(np.int32), starts, sizes - 1, np.array(skips))
    scores = score_windows(model, windows)
    owner = np.repeat(np.arange(len(rows)), windows.lengths - windows.skips)
    return np.bincount(owner, scores.logprobs, len(rows))


def _ratios(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Return quotients, 0 where there is nothing to divide by."""
    return np.divide(parts, wholes, out=np.zeros(len(parts)), where=wholes > 0)
