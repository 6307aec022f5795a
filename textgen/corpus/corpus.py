"""A corpus: its documents, divided into a training and a validation part."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textgen.config import CorpusConfig
from textgen.corpus.documents import documents_of
from textgen.corpus.sources import Source, find_files
from textgen.errors import CorpusError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """Cleaned text to train on, and the rest to validate with.

    Attributes:
        train: the documents to train on; never empty.
        validation: the documents at the corpus's end, kept for validation; never empty.
        digest: SHA-256 of all documents in hexadecimal; differs wherever text or splits differ.
        description: what the corpus was read from, in a few words.
        has_documents: whether each string is a whole document, with an end of its own. Where
            it is false, `train` and `validation` are the two parts of one text.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    digest: str
    description: str
    has_documents: bool

    @property
    def num_characters(self) -> int:
        """Characters of both parts together."""
        return sum(map(len, self.train)) + sum(map(len, self.validation))


def read_corpus(paths: Sequence[str | os.PathLike[str]], config: CorpusConfig) -> Corpus:
    """Read, clean and divide a corpus.

    Validation is the end of the corpus. A single text is cut after
    `int(length * (1 - validation_split))` characters; of several documents, the last whole ones
    whose characters come closest to the share are taken. Each part gets at least one character
    or one document.

    Args:
        paths: files, folders, globs, or `-` for standard input; see `find_files`.
        config: encoding, cleaning, document split and validation share.

    Returns:
        The corpus, in memory.

    Raises:
        ConfigError: Python knows no text encoding of the config's name.
        CorpusError: a source cannot be found, read or decoded, or the corpus holds no text.
    """
    sources = find_files(paths, encoding=config.encoding)
    description = _describe(sources)
    documents = tuple(documents_of(sources, config))
    if not documents:
        raise CorpusError(f"The corpus is empty: no text is left of {description} after cleaning.")
    digest = _digest(documents)
    if len(documents) > 1:
        cut = _document_cut([len(document) for document in documents], config.validation_split)
        return Corpus(documents[:cut], documents[cut:], digest, description, has_documents=True)
    if config.split_documents != "none":
        _logger.warning(
            "The corpus holds one document only (split_documents=%r): validation is its last part.",
            config.split_documents,
        )
    (text,) = documents
    if len(text) < 2:
        raise CorpusError(f"The corpus needs at least 2 characters. Received: {text!r}")
    cut = _character_cut(len(text), config.validation_split)
    return Corpus((text[:cut],), (text[cut:],), digest, description, has_documents=False)


def _character_cut(length: int, validation_split: float) -> int:
    return min(max(int(length * (1 - validation_split)), 1), length - 1)


def _document_cut(lengths: Sequence[int], validation_split: float) -> int:
    """Return the index of the first validation document."""
    target = sum(lengths) * (1 - validation_split)
    train_lengths = list(itertools.accumulate(lengths[:-1]))
    best = min(range(len(train_lengths)), key=lambda index: abs(train_lengths[index] - target))
    return best + 1


def _digest(documents: Iterable[str]) -> str:
    sha = hashlib.sha256()
    for document in documents:
        # A few codecs, such as unicode_escape, can yield lone surrogates.
        data = document.encode("utf-8", "surrogatepass")
        # The length before each document, so that the same text split elsewhere differs.
        sha.update(b"%d:" % len(data))
        sha.update(data)
    return sha.hexdigest()


def _describe(sources: Sequence[Source]) -> str:
    files = [source.path for source in sources if source.path is not None]
    parts = []
    if len(files) == 1:
        parts.append(files[0].name)
    elif files:
        parts.append(f"{len(files)} files")
    if len(files) < len(sources):
        parts.append("standard input")
    return " and ".join(parts)
