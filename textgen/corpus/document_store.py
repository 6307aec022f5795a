"""Cleaned documents in a temporary file, so that a corpus need not fit into memory.

A source is read and cleaned only once, even if it could be read again: standard input cannot,
a file may change meanwhile, and cleaning may take longer than reading.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from textgen.corpus.documents import Block
from textgen.corpus.exchanges import MARK, MARK_BYTE, to_exchanges
from textgen.corpus.sources import CHUNK_BYTES
from textgen.errors import CorpusError
from textgen.unicode import encode_unicode

# Follows every document. UTF-8 never uses this byte.
END_OF_DOCUMENT = b"\xff"
_MAX_MEMORY_BYTES = 1 << 26


class StoreSize(NamedTuple):
    """How much a store holds; see `DocumentStore`."""

    num_bytes: int
    num_characters: int
    num_documents: int


class DocumentStore:
    """Documents that are written once, in order, and can be read any number of times.

    Args:
        folder: Folder of the file that is created once the documents outgrow memory. Defaults
            to the system's folder for temporary files. The file vanishes with the process.

    Attributes:
        num_bytes: Size of the documents in UTF-8, with one byte after each.
        num_characters: Characters to learn, in all documents: of one with prompts, its answers.
        num_documents: Number of documents that have ended.
        has_exchanges: Whether a document has a prompt. Such documents are kept whole in a block.
    """

    def __init__(self, folder: Path | None = None) -> None:
        where = None if folder is None else str(folder)
        self._file = tempfile.SpooledTemporaryFile(_MAX_MEMORY_BYTES, dir=where)  # noqa: SIM115
        self._sha = hashlib.sha256()
        self.num_bytes = 0
        self.num_characters = 0
        self.num_documents = 0
        self.has_exchanges = False

    def write(self, block: Block) -> None:
        """Append a block.

        Raises:
            CorpusError: If a text holds a lone surrogate.
            OSError: If the disk is full.
        """
        data = END_OF_DOCUMENT.join(map(_encode, block))
        self.has_exchanges |= MARK_BYTE in data
        self._file.write(data)
        self._sha.update(data)
        self.num_bytes += len(data)
        self.num_characters += sum(map(num_learned, block))
        self.num_documents += len(block) - 1

    @property
    def size(self) -> StoreSize:
        """How much has been written."""
        return StoreSize(self.num_bytes, self.num_characters, self.num_documents)

    def part_since(self, before: StoreSize) -> Part:
        """Return the documents that were written since the store had the size `before`."""
        return Part(
            self,
            before.num_bytes,
            self.num_bytes,
            self.num_characters - before.num_characters,
            self.num_documents - before.num_documents,
        )

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal. It differs if any text or document boundary differs."""
        return self._sha.hexdigest()

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes from `start` to `stop` in pieces of about a MiB.

        Returns:
            An iterator over offsets and non-empty pieces. A piece ends with a document or a
            line if it contains the end of one, and always with a complete character. With
            exchanges, it always ends with a document.
        """
        stop = self.num_bytes if stop is None else stop
        offset, pending = start, b""
        while (read_to := offset + len(pending)) < stop:
            self._file.seek(read_to)
            pending += self._file.read(min(CHUNK_BYTES, stop - read_to))
            cut = len(pending)
            if offset + cut < stop:
                cut = pending.rfind(END_OF_DOCUMENT) + 1 if self.has_exchanges else _cut(pending)
            if cut:
                yield offset, pending[:cut]
            offset, pending = offset + cut, pending[cut:]

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


@dataclass(frozen=True)
class Part:
    """Consecutive documents of a store, or a part of its only document.

    Attributes:
        store: Holds the documents.
        start: Offset of the first byte.
        stop: Offset after the last byte.
        num_characters: Characters in the part that are to be learned.
        num_documents: Number of documents that end in the part.
    """

    store: DocumentStore
    start: int
    stop: int
    num_characters: int
    num_documents: int

    @property
    def num_bytes(self) -> int:
        """Size of the part in the store."""
        return self.stop - self.start

    def blocks(self, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Block]:
        """Yield the documents in blocks; see `textgen.corpus.documents`.

        Args:
            on_bytes: Called with the size of each block after it has been processed.
        """
        for _, piece in self.store.pieces(self.start, self.stop):
            yield decode_block(piece)
            on_bytes(len(piece))

    def texts(self, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[str]:
        """Yield the texts of all blocks: whole documents, and parts of long ones.

        Prompts and answers are texts of their own.
        """
        for block in self.blocks(on_bytes):
            for text in block:
                yield from filter(None, text.split(MARK))


def decode_block(piece: bytes) -> Block:
    """Return the block that a piece of a store holds."""
    # One call for all documents is faster than one call for each.
    return piece.decode(errors="surrogateescape").split("\udcff")


def num_learned(text: str) -> int:
    """Return how many characters of a document are to be learned: all, or those of its answers."""
    if MARK not in text:
        return len(text)
    return sum(len(answer) for _, answer in to_exchanges(text))


def _encode(text: str) -> bytes:
    parts = text.split(MARK)
    return MARK_BYTE.join(encode_unicode(part, CorpusError, subject="The corpus") for part in parts)


def _cut(data: bytes) -> int:
    """Return where to cut non-empty bytes that continue; 0 if no character is complete."""
    if end := max(data.rfind(b"\n"), data.rfind(END_OF_DOCUMENT)) + 1:
        return end
    end = len(data) - 1
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end
