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
from textgen.corpus.documents import read_blocks
from textgen.corpus.facts import CorpusFacts
from textgen.corpus.meter import Meter
from textgen.corpus.sources import Source
from textgen.corpus.spool import END, Part, Spool, decode
from textgen.errors import CorpusError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """Cleaned text to train on, and the rest to validate with; to be closed after use.

    Attributes:
        train: the documents to train on; never empty.
        validation: the documents at the corpus's end, kept for validation; never empty.
        facts: what is known about both parts together.
    """

    train: Part
    validation: Part
    facts: CorpusFacts

    def __enter__(self) -> Corpus:
        return self

    def __exit__(self, *exception: object) -> None:
        self.train.spool.close()


def read_corpus(
    sources: Sequence[Source],
    config: CorpusConfig,
    folder: Path | None = None,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
) -> Corpus:
    """Read, clean and divide a corpus of any size.

    Validation is the end of the corpus. A single text is cut after
    `int(length * (1 - validation_split))` characters; of several documents, the last whole ones
    whose characters come closest to the share are taken. Each part gets at least one character
    or one document.

    Args:
        sources: from `find_files`.
        config: encoding, cleaning, document split, text column and validation share.
        folder: where a corpus that outgrows memory is kept until it is closed.
        on_bytes: is told the bytes read so far and in all, where known.

    Returns:
        The corpus.

    Raises:
        ConfigError: Python knows no text encoding of the config's name.
        CorpusError: a source cannot be read or decoded, a table is malformed, or the corpus
            holds no text.
    """
    if config.text_column is not None and all(source.format == "text" for source in sources):
        raise CorpusError(
            "--text-column needs a .csv, .tsv, .jsonl or .ndjson file. "
            f"Received: {describe(sources)}"
        )
    meter = Meter((source.num_bytes for source in sources), on_bytes)
    spool = Spool(folder)
    try:
        for block in read_blocks(sources, config, meter):
            spool.write(block)
        train, validation = _divide(spool, config, describe(sources))
    except BaseException:
        spool.close()
        raise
    facts = CorpusFacts(
        description=describe(sources),
        digest=spool.digest,
        source_digest=meter.digest,
        has_documents=spool.num_documents > 1,
        num_documents=spool.num_documents,
        num_characters=spool.num_characters,
        validation_characters=validation.num_characters,
    )
    return Corpus(train, validation, facts)


def describe(sources: Sequence[Source]) -> str:
    """Return what the sources are, in a few words that UTF-8 can hold."""
    files = [source.path for source in sources if source.path is not None]
    parts = []
    if len(files) == 1:
        # Linux names files by any bytes; Python keeps those that are no text as lone surrogates.
        parts.append(os.fsencode(files[0].name).decode(errors="replace"))
    elif files:
        parts.append(f"{len(files)} files")
    if len(files) < len(sources):
        parts.append("standard input")
    return " and ".join(parts)


def _divide(spool: Spool, config: CorpusConfig, description: str) -> tuple[Part, Part]:
    """Return the training and the validation part."""
    if spool.num_documents == 0:
        raise CorpusError(f"The corpus is empty: no text is left of {description} after cleaning.")
    train_share = 1 - config.validation_split
    if spool.num_documents > 1:
        train = _first_documents(spool, spool.num_characters * train_share)
    else:
        if config.split_documents != "none":
            _logger.warning(
                "The corpus holds one document only (split_documents=%r): "
                "validation is its last part.",
                config.split_documents,
            )
        if spool.num_characters < 2:
            raise CorpusError(f"The corpus needs at least 2 characters. Received: {description}")
        length = int(spool.num_characters * train_share)
        train = _first_characters(spool, min(max(length, 1), spool.num_characters - 1))
    rest = Part(
        spool,
        train.stop,
        spool.num_bytes,
        spool.num_characters - train.num_characters,
        spool.num_documents - train.num_documents,
    )
    return train, rest


def _first_characters(spool: Spool, length: int) -> Part:
    """Return the beginning of a spool that holds one document."""
    stop, missing = 0, length
    for place, piece in spool.pieces():
        text = decode(piece)[0]
        stop = place + len(text[:missing].encode())
        missing -= min(missing, len(text))
        if missing == 0:
            break
    return Part(spool, 0, stop, length, num_documents=0)


def _first_documents(spool: Spool, target: float) -> Part:
    """Return the first documents, but not all, whose characters come closest to `target`."""
    best, distance = (0, b"", 0, 0, 0), math.inf
    characters = documents = 0
    for place, piece in spool.pieces():
        *ended, rest = decode(piece)
        # Characters of the corpus before this piece, and up to the end of each document in it.
        ends = list(itertools.accumulate(map(len, ended), initial=characters))
        above = bisect.bisect_left(ends, target, lo=1)
        for index in range(max(above - 1, 1), min(above + 1, len(ends))):
            is_closer = abs(ends[index] - target) < distance
            if is_closer and documents + index < spool.num_documents:
                distance = abs(ends[index] - target)
                best = (place, piece, index, ends[index], documents + index)
        if above < len(ends):
            break
        characters = ends[-1] + len(rest)
        documents += len(ended)
    place, piece, index, characters, documents = best
    length = sum(len(text.encode()) + len(END) for text in decode(piece)[:index])
    return Part(spool, 0, place + length, characters, documents)
