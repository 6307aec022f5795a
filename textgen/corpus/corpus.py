"""A corpus: its documents, divided into a training and a validation part."""

from __future__ import annotations

import bisect
import itertools
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from textgen.config import CorpusConfig
from textgen.corpus.document_store import END_OF_DOCUMENT, DocumentStore, Part, decode_block
from textgen.corpus.documents import read_blocks
from textgen.corpus.facts import CorpusFacts
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source
from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """Cleaned text to train on and to validate with. Close it by a `with` block.

    Attributes:
        train: The documents to train on; never empty.
        validation: The documents at the end of the corpus; never empty.
        facts: Facts about both parts together.
    """

    train: Part
    validation: Part
    facts: CorpusFacts

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *exception: object) -> None:
        self.train.store.close()


def read_corpus(
    sources: Sequence[Source],
    config: CorpusConfig,
    folder: Path | None = None,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
) -> Corpus:
    """Read, clean and divide a corpus of any size.

    The validation part is the end of the corpus. A single text is cut after
    `int(length * (1 - validation_split))` characters. Of several documents, validation gets the
    last whole ones, as many as come closest to the fraction in characters. Each part gets at
    least one character or one document.

    Args:
        sources: From `find_files`.
        config: Encoding, cleaning, document split, text column and validation fraction.
        folder: Folder of the temporary file for a corpus that outgrows memory.
        on_bytes: Called with the bytes read so far and the total, which is `None` if unknown.

    Returns:
        An open corpus; use it in a `with` block.

    Raises:
        ConfigError: If Python has no text encoding of the config's name.
        CorpusError: If a source cannot be read or decoded, a table is malformed, or the corpus
            holds no text.

    Example:
        >>> with read_corpus(find_files(["poems.txt"]), CorpusConfig()) as corpus:
        ...     "".join(corpus.train.texts())[:20]
        'Tyger Tyger, burning'
    """
    if config.text_column is not None and all(source.format == "text" for source in sources):
        raise CorpusError(
            "text_column needs a .csv, .tsv, .jsonl or .ndjson file, or a .json array. "
            f"Received: {describe(sources)}"
        )
    tracker = SourceTracker((source.num_bytes for source in sources), on_bytes)
    store = DocumentStore(folder)
    notices = Notices()
    try:
        for block in read_blocks(sources, config, tracker, notices):
            store.write(block)
        train, validation = _divide(store, config, describe(sources))
    except BaseException:
        store.close()
        raise
    finally:
        notices.warn()
    facts = CorpusFacts(
        description=describe(sources),
        digest=store.digest,
        source_digest=tracker.digest,
        has_documents=store.num_documents > 1,
        num_documents=store.num_documents,
        num_characters=store.num_characters,
        validation_characters=validation.num_characters,
    )
    return Corpus(train, validation, facts)


def describe(sources: Sequence[Source]) -> str:
    """Describe the sources in a few words of Unicode text."""
    files = [source.path for source in sources if source.path is not None]
    parts = []
    if len(files) == 1:
        # On Linux, file names are bytes. Python turns bytes that are not UTF-8 into surrogates.
        parts.append(os.fsencode(files[0].name).decode(errors="replace"))
    elif files:
        parts.append(f"{len(files)} files")
    if len(files) < len(sources):
        parts.append("standard input")
    return " and ".join(parts)


def _divide(store: DocumentStore, config: CorpusConfig, description: str) -> tuple[Part, Part]:
    """Return the training and the validation part."""
    if store.num_documents == 0:
        raise CorpusError(f"The corpus is empty: no text is left of {description} after cleaning.")
    train_fraction = 1 - config.validation_split
    if store.num_documents > 1:
        train = _first_documents(store, store.num_characters * train_fraction)
    else:
        if config.split_documents != "none":
            _logger.warning(
                "The corpus holds only one document (split_documents=%r), so validation is the "
                "end of it.",
                config.split_documents,
            )
        if store.num_characters < 2:
            raise CorpusError(f"The corpus needs at least 2 characters. Received: {description}")
        length = int(store.num_characters * train_fraction)
        train = _first_characters(store, min(max(length, 1), store.num_characters - 1))
    rest = Part(
        store,
        train.stop,
        store.num_bytes,
        store.num_characters - train.num_characters,
        store.num_documents - train.num_documents,
    )
    return train, rest


def _first_characters(store: DocumentStore, length: int) -> Part:
    """Return the beginning of a store that holds one document."""
    stop, missing = 0, length
    for offset, piece in store.pieces():
        text = decode_block(piece)[0]
        stop = offset + len(text[:missing].encode())
        missing -= min(missing, len(text))
        if missing == 0:
            break
    return Part(store, 0, stop, length, num_documents=0)


def _first_documents(store: DocumentStore, target: float) -> Part:
    """Return the first documents, but not all, whose characters come closest to `target`."""
    best, distance = (0, b"", 0, 0, 0), math.inf
    characters = documents = 0
    for offset, piece in store.pieces():
        *ended, rest = decode_block(piece)
        # Characters before this piece, and up to the end of each document that ends in it.
        ends = list(itertools.accumulate(map(len, ended), initial=characters))
        above = bisect.bisect_left(ends, target, lo=1)
        for index in range(max(above - 1, 1), min(above + 1, len(ends))):
            is_closer = abs(ends[index] - target) < distance
            if is_closer and documents + index < store.num_documents:
                distance = abs(ends[index] - target)
                best = (offset, piece, index, ends[index], documents + index)
        if above < len(ends):
            break
        characters = ends[-1] + len(rest)
        documents += len(ended)
    offset, piece, index, characters, documents = best
    length = sum(len(text.encode()) + len(END_OF_DOCUMENT) for text in decode_block(piece)[:index])
    return Part(store, 0, offset + length, characters, documents)
