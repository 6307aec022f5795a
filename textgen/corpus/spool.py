"""Cleaned documents in a temporary file, so that a corpus need not fit into memory.

A source is read and cleaned once, even where it could be read again: it may be standard input,
it may change meanwhile, and cleaning may take longer than reading.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from textgen.corpus.documents import Block
from textgen.corpus.sources import CHUNK_BYTES
from textgen.errors import CorpusError
from textgen.unicode import encode_unicode

# After every document; UTF-8 never uses this byte.
END = b"\xff"
_MEMORY_BYTES = 1 << 26


class Spool:
    """Documents written one after another, and read again as often as one likes.

    Args:
        folder: where the file is put once it outgrows memory; the system's folder for
            temporary files where `None`. The file vanishes with the process.

    Attributes:
        num_bytes: length of the spool: of the documents in UTF-8, with a byte after each.
        num_characters: of all documents.
        num_documents: ended so far.
    """

    def __init__(self, folder: Path | None = None) -> None:
        where = None if folder is None else str(folder)
        self._file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES, dir=where)  # noqa: SIM115
        self._sha = hashlib.sha256()
        self.num_bytes = 0
        self.num_characters = 0
        self.num_documents = 0

    def write(self, block: Block) -> None:
        """Append a block.

        Raises:
            CorpusError: a text holds half a surrogate pair.
            OSError: the disk is full.
        """
        data = END.join(encode_unicode(text, CorpusError, subject="The corpus") for text in block)
        self._file.write(data)
        self._sha.update(data)
        self.num_bytes += len(data)
        self.num_characters += sum(map(len, block))
        self.num_documents += len(block) - 1

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal; differs wherever texts or their ends differ."""
        return self._sha.hexdigest()

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes from `start` to `stop` in pieces of about a MiB.

        Returns:
            An iterator over places and non-empty pieces. A piece ends with a document or a line
            where there is one in it, and always with a whole character.
        """
        stop = self.num_bytes if stop is None else stop
        place, pending = start, b""
        while (read_to := place + len(pending)) < stop:
            self._file.seek(read_to)
            pending += self._file.read(min(CHUNK_BYTES, stop - read_to))
            cut = len(pending) if place + len(pending) >= stop else _cut(pending)
            if cut:
                yield place, pending[:cut]
            place, pending = place + cut, pending[cut:]

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


@dataclass(frozen=True)
class Part:
    """The documents between two places of a spool, or a part of its only document.

    Attributes:
        spool: where the documents are.
        start: place of the first byte.
        stop: place after the last byte.
        num_characters: of the part.
        num_documents: that end in the part.
    """

    spool: Spool
    start: int
    stop: int
    num_characters: int
    num_documents: int

    @property
    def num_bytes(self) -> int:
        """Length of the part in the spool."""
        return self.stop - self.start

    def blocks(self, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[Block]:
        """Yield the documents in blocks; see `textgen.corpus.documents`.

        Args:
            on_bytes: is told the bytes of every block that was dealt with.
        """
        for _, piece in self.spool.pieces(self.start, self.stop):
            yield decode(piece)
            on_bytes(len(piece))

    def texts(self, on_bytes: Callable[[int], None] = lambda count: None) -> Iterator[str]:
        """Yield the texts of all blocks: documents, and parts of those that are long."""
        for block in self.blocks(on_bytes):
            yield from filter(None, block)


def decode(piece: bytes) -> Block:
    """Return the block that a piece of a spool holds."""
    # In one go, which is faster than a call for every document.
    return piece.decode(errors="surrogateescape").split("\udcff")


def _cut(data: bytes) -> int:
    """Return where to cut non-empty bytes that go on: 0 where they hold no whole character."""
    if end := max(data.rfind(b"\n"), data.rfind(END)) + 1:
        return end
    end = len(data) - 1
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end
