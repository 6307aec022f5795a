"""How a corpus is divided into a training and a validation part."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import logging
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from textgen.config import CorpusConfig
from textgen.corpus.document_store import (
    END_OF_DOCUMENT,
    DocumentStore,
    Part,
    decode_block,
    num_learned,
)
from textgen.corpus.documents import Block, join_blocks
from textgen.corpus.exchanges import to_exchanges
from textgen.errors import CorpusError

_VALIDATION_SPLIT = 0.1
# The loss of a character has a standard deviation of about 2 nats, so the mean over this many is
# known to within 2 / sqrt(200) = 0.14 nats. Smaller differences are chance.
_MIN_VALIDATION_CHARACTERS = 200
# The answers to other questions say little about the answer to one. So few rows are memorized, and
# none of them can be spared.
_MIN_VALIDATION_ROWS = 100

_logger = logging.getLogger(__name__)


def write_by_label(
    blocks: Iterable[Block], config: CorpusConfig, folder: Path | None, store: DocumentStore
) -> tuple[Part, Part]:
    """Write labeled documents to a store: first those to train on, then those to validate with.

    Validation gets the same fraction of each label, however the documents are ordered.

    Args:
        blocks: The documents.
        config: Its validation fraction counts.
        folder: Folder of a temporary file for documents that outgrow memory.
        store: Where to write.

    Returns:
        The training and the validation part.
    """
    scratch = DocumentStore(folder)
    try:
        nothing = scratch.size
        for block in blocks:
            scratch.write(block)
        whole = scratch.part_since(nothing)
        split = _split(whole, config)
        parts = []
        for is_validation in (False, True):
            seen: Counter[str] = Counter()
            before = store.size
            for document in join_blocks(whole.blocks()):
                label = to_exchanges(document)[0].prompt
                seen[label] += 1
                count = seen[label]
                if (int(count * split) > int((count - 1) * split)) == is_validation:
                    store.write([document, ""])
            parts.append(store.part_since(before))
    finally:
        scratch.close()
    return parts[0], parts[1]


def _split(whole: Part, config: CorpusConfig) -> float:
    """Return the fraction to validate with."""
    if config.validation_split is not None:
        return config.validation_split
    is_enough = whole.num_characters * _VALIDATION_SPLIT >= _MIN_VALIDATION_CHARACTERS
    if whole.store.has_exchanges and not config.has_labels:
        is_enough = whole.num_documents * _VALIDATION_SPLIT >= _MIN_VALIDATION_ROWS
    return _VALIDATION_SPLIT if is_enough else 0.0


def divide(whole: Part, config: CorpusConfig, description: str) -> tuple[Part, Part]:
    """Divide a part into a training and a validation part, which is its end.

    Raises:
        CorpusError: If the part is too short.
    """
    split = _split(whole, config)
    if split == 0:
        return whole, dataclasses.replace(
            whole, start=whole.stop, num_characters=0, num_documents=0
        )
    target = whole.num_characters * (1 - split)
    if whole.num_documents > 1:
        train = _first_documents(whole, target)
    else:
        if config.split_documents != "none":
            _logger.warning(
                "The corpus holds only one document (split_documents=%r), so validation is the "
                "end of it.",
                config.split_documents,
            )
        if whole.num_characters < 2:
            raise CorpusError(f"The corpus needs at least 2 characters. Received: {description}")
        train = _first_characters(whole, min(max(int(target), 1), whole.num_characters - 1))
    rest = dataclasses.replace(
        whole,
        start=train.stop,
        num_characters=whole.num_characters - train.num_characters,
        num_documents=whole.num_documents - train.num_documents,
    )
    return train, rest


def _first_characters(whole: Part, length: int) -> Part:
    """Return the beginning of a part that holds one document."""
    stop, missing = whole.start, length
    for offset, piece in whole.store.pieces(whole.start, whole.stop):
        text = decode_block(piece)[0]
        stop = offset + len(text[:missing].encode())
        missing -= min(missing, len(text))
        if missing == 0:
            break
    return dataclasses.replace(whole, stop=stop, num_characters=length, num_documents=0)


def _first_documents(whole: Part, target: float) -> Part:
    """Return the first documents, but not all, whose characters come closest to `target`."""
    best, distance = (0, b"", 0, 0, 0), math.inf
    characters = documents = 0
    for offset, piece in whole.store.pieces(whole.start, whole.stop):
        *ended, rest = decode_block(piece)
        # Characters before this piece, and up to the end of each document that ends in it.
        ends = list(itertools.accumulate(map(num_learned, ended), initial=characters))
        above = bisect.bisect_left(ends, target, lo=1)
        for index in range(max(above - 1, 1), min(above + 1, len(ends))):
            is_closer = abs(ends[index] - target) < distance
            if is_closer and documents + index < whole.num_documents:
                distance = abs(ends[index] - target)
                best = (offset, piece, index, ends[index], documents + index)
        if above < len(ends):
            break
        characters = ends[-1] + num_learned(rest)
        documents += len(ended)
    offset, piece, index, characters, documents = best
    ends_of_documents = [at for at, byte in enumerate(piece) if byte == END_OF_DOCUMENT[0]]
    length = ends_of_documents[index - 1] + len(END_OF_DOCUMENT) if index else 0
    return dataclasses.replace(
        whole, stop=offset + length, num_characters=characters, num_documents=documents
    )
