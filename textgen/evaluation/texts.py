"""The text that models are measured on, and the training part that it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from textgen.catalog import TOKENIZER_PATH, ModelEntry
from textgen.config import CorpusConfig
from textgen.corpus import (
    ExchangeMaker,
    Notices,
    describe,
    find_files,
    join_blocks,
    read_blocks,
    to_exchanges,
)
from textgen.corpus.editing import Editor
from textgen.digests import digest_file
from textgen.errors import CorpusError
from textgen.inference.prompts import read_template
from textgen.prompt_template import PromptTemplate
from textgen.run import Run, exported_version
from textgen.tokenizer import Tokenizer, load_tokenizer

Part = Literal["auto", "validation", "test"]

# Counting the n-grams of more takes longer than most models.
MAX_TRAINING_CHARACTERS = 10_000_000
# Stands for a character that the tokenizer of the run lacks.
_UNKNOWN = "\ufffd".encode()
_END = b"\xff"
# BPE spells a rare character in up to this many tokens.
_MAX_TOKENS_PER_CHARACTER = 4


@dataclass(frozen=True)
class EvaluatedText:
    """What models are measured on.

    Attributes:
        name: What it is, in a few words.
        documents: The texts, cleaned as the model's corpus was; none is empty.
        prompts: int[P] for each document, the tokens of the prompt that it answers. `None` if the
            corpus has no prompts.
        is_cut: Whether there was more than the limit.
        tokens: int[N], the tokens of the run that trained the model, for training's own
            protocol. `None` if the text is no part of its run.
    """

    name: str
    documents: list[str]
    is_cut: bool
    tokens: np.ndarray | None = None
    prompts: list[np.ndarray] | None = None

    @property
    def num_characters(self) -> int:
        """Characters in all documents."""
        return sum(map(len, self.documents))


def corpus_config(entry: ModelEntry) -> CorpusConfig:
    """Return how the corpus of a model was read and cleaned."""
    corpus = entry.card.corpus
    return CorpusConfig.from_dict(corpus.config) if corpus else CorpusConfig()


def read_files(
    paths: Sequence[str], entry: ModelEntry, config: CorpusConfig, max_characters: int | None
) -> EvaluatedText:
    """Read files, folders, globs or tables as the training of a model would.

    Raises:
        ConfigError: If Python has no text encoding of the config's name.
        CorpusError: If a file cannot be read or decoded, or there is no text.
    """
    sources = find_files(paths, encoding=config.encoding)
    notices = Notices()
    prompts = None
    if answers_prompts(entry):
        tokenizer = load_tokenizer(entry.path / TOKENIZER_PATH)
        with PromptTemplate(read_template(entry), tokenizer) as template:
            maker = ExchangeMaker(config, Editor(config), template.render)
            blocks = read_blocks(sources, config, notices=notices, maker=maker)
            pairs = [pair for each in join_blocks(blocks) for pair in to_exchanges(each)]
        documents, is_cut = _take((answer for _, answer in pairs), max_characters)
        asked = [prompt for prompt, _ in pairs][: len(documents)]
        prompts = [prompt for prompt, _ in tokenizer.encode_pairs(asked, documents)]
    else:
        blocks = read_blocks(sources, config, notices=notices)
        documents, is_cut = _take(join_blocks(blocks), max_characters)
    notices.warn()
    if not documents:
        raise CorpusError(f"{describe(sources)}: there is no text to evaluate.")
    return EvaluatedText(describe(sources), documents, is_cut, prompts=prompts)


def answers_prompts(entry: ModelEntry) -> bool:
    """Return whether a model learned answers to prompts, or texts under labels."""
    corpus = entry.card.corpus
    return corpus is not None and corpus.other.get("has_prompts") is True


def share_prompts(entries: Iterable[ModelEntry]) -> bool:
    """Return whether all models read a prompt as the same tokens, or none answers prompts."""
    known = {
        (read_template(entry), digest_file(entry.path / TOKENIZER_PATH))
        if answers_prompts(entry)
        else None
        for entry in entries
    }
    return len(known) <= 1


def read_part(entry: ModelEntry, run: Run, part: Part, max_characters: int | None) -> EvaluatedText:
    """Return a part of a run's corpus that the model was not trained on.

    Args:
        entry: The model.
        run: Its run.
        part: `auto` is the test part if there is one, or else the validation part.
        max_characters: Where to cut; `None` for all of it.

    Raises:
        CorpusError: If the corpus has no such part.
    """
    if part == "auto":
        part = "validation" if run.store.test is None else "test"
    tokens = run.store.test if part == "test" else run.store.validation
    if tokens is None or not tokens.size:
        raise CorpusError(
            f"{entry.name} was trained without a {part} part: name a file to evaluate it on."
        )
    rows = run.store.rows.get(part)
    if rows is not None:
        pairs = [
            (tokens[start + 1 : answer], tokens[answer : stop - 1]) for start, answer, stop in rows
        ]
        pairs = [pair for pair in pairs if len(pair[1])]
        answers = (run.tokenizer.decode(answer) for _, answer in pairs)
        documents, is_cut = _take(answers, max_characters)
        name = f"the answers in the {part} part of {run.corpus.description}"
        prompts = [prompt for prompt, _ in pairs][: len(documents)]
        return EvaluatedText(name, documents, is_cut, prompts=prompts)
    kept = tokens
    if max_characters is not None:
        kept = tokens[: max_characters * _MAX_TOKENS_PER_CHARACTER]
    documents, is_cut = _take(_decode(kept, run.tokenizer), max_characters)
    trained = exported_version(run.folder) == entry.path.name
    return EvaluatedText(
        f"the {part} part of {run.corpus.description}",
        documents,
        is_cut or len(kept) < len(tokens),
        tokens if trained else None,
    )


def training_text(run: Run) -> str:
    """Return the end of a run's training part, up to 10 million characters."""
    tokens = run.store.train[-MAX_TRAINING_CHARACTERS * _MAX_TOKENS_PER_CHARACTER :]
    return "\n".join(_decode(tokens, run.tokenizer))[-MAX_TRAINING_CHARACTERS:]


def _take(documents: Iterable[str], max_characters: int | None) -> tuple[list[str], bool]:
    """Return the first documents up to a number of characters, and whether there were more."""
    taken: list[str] = []
    left = max_characters
    for document in documents:
        if left is not None and left <= 0:
            return taken, True
        taken.append(document if left is None else document[:left])
        if left is not None:
            if len(document) > left:
                return taken, True
            left -= len(document)
    return taken, False


def _decode(tokens: np.ndarray, tokenizer: Tokenizer) -> list[str]:
    """Return the documents that tokens spell."""
    pieces = list(tokenizer.pieces)
    pieces[tokenizer.special.unknown] = _UNKNOWN
    pieces[tokenizer.special.eos] = _END
    data = b"".join(map(pieces.__getitem__, tokens.tolist()))
    return [text.decode("utf-8", "replace") for text in data.split(_END) if text]


def with_reading(
    config: CorpusConfig, encoding: str | None, text_column: str | None
) -> CorpusConfig:
    """Return a config that reads other files than the corpus."""
    changes: dict[str, Any] = {"encoding": encoding, "text_column": text_column}
    return dataclasses.replace(config, **{k: v for k, v in changes.items() if v is not None})
