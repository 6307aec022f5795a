"""An index of a text that finds any other text in it.

A suffix array: the positions of the text in the alphabetical order of what follows them (Manber
and Myers 1990, "Suffix arrays"). Libdivsufsort sorts 10 MB in a second, and a search takes two
dozen comparisons, in files that are mapped into memory.
"""

from __future__ import annotations

import bisect
import mmap
from collections.abc import Callable
from pathlib import Path

import numpy as np

from textgen.arrays import map_array
from textgen.errors import CorpusError
from textgen.files import open_plain, publish_folder

_TEXT, _SUFFIXES = "text.bin", "suffixes.npy"
_NEWLINE = 10


class CorpusIndex:
    """Finds texts in a text.

    Args:
        text: UTF-8.
        suffixes: int32[N] or int64[N], the positions of its N bytes in the order of their suffixes.

    Example:
        >>> index = CorpusIndex.of(b"the moon and the sun")
        >>> index.find(b"the s"), index.find(b"stars")
        (13, None)
    """

    def __init__(self, text: bytes | mmap.mmap, suffixes: np.ndarray) -> None:
        self._text = text
        # An item of an array takes longer than one of its memory.
        self._suffixes = memoryview(suffixes.view(suffixes.dtype.type))

    @classmethod
    def of(cls, text: bytes) -> CorpusIndex:
        """Build the index of a text, in memory."""
        if not text:
            return cls(text, np.zeros(0, np.int32))
        import pydivsufsort  # takes a tenth of a second

        return cls(text, pydivsufsort.divsufsort(text))

    @classmethod
    def open(cls, folder: Path) -> CorpusIndex:
        """Map an index that `save` wrote.

        Raises:
            CorpusError: If it is missing or damaged.
        """
        try:
            suffixes = map_array(folder / _SUFFIXES)
            with open_plain(folder / _TEXT) as file:
                size = file.seek(0, 2)
                text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        except (OSError, ValueError) as error:
            raise CorpusError(f"{folder}: the index is damaged ({error}).") from error
        if suffixes.shape != (size,) or suffixes.dtype not in (np.int32, np.int64):
            raise CorpusError(f"{folder}: the index is damaged.")
        return cls(text, suffixes)

    def save(self, folder: Path) -> None:
        """Write the index into a folder that does not exist yet, atomically.

        Raises:
            OSError: If it cannot be written.
        """
        with publish_folder(folder) as scratch:
            (scratch / _TEXT).write_bytes(self._text[:])
            np.save(scratch / _SUFFIXES, self._suffixes)

    def find(self, wanted: bytes) -> int | None:
        """Return a position of a text, in bytes; `None` if it does not appear.

        Raises:
            CorpusError: If the index is damaged.
        """
        place = bisect.bisect_left(self._suffixes, wanted, key=self._beginnings(len(wanted)))
        if place == len(self._suffixes):
            return None
        position = self._suffixes[place]
        if not 0 <= position < len(self._text):
            raise CorpusError(f"The index is damaged: it holds the position {position}.")
        return position if self._text[position : position + len(wanted)] == wanted else None

    def continuations(self, text: str) -> set[str]:
        """Return the characters that follow a text wherever it appears.

        Example:
            >>> sorted(CorpusIndex.of("the sun, the 月".encode()).continuations("the "))
            ['s', '月']
        """
        wanted = text.encode()
        beginning = self._beginnings(len(wanted))
        first = bisect.bisect_left(self._suffixes, wanted, key=beginning)
        last = bisect.bisect_right(self._suffixes, wanted, key=beginning)
        ends = (at + len(wanted) for at in self._suffixes[first:last])
        found = {self._text[end : end + 4] for end in ends}
        # What is left of the characters after the next one is no text.
        return {after.decode("utf-8", "ignore")[:1] for after in found} - {""}

    def line_of(self, position: int) -> int:
        """Return the number of the line that holds a byte, from 1."""
        newlines = np.frombuffer(self._text, np.uint8, position) if position else np.zeros(0)
        return int((newlines == _NEWLINE).sum()) + 1

    def _beginnings(self, size: int) -> Callable[[int], bytes]:
        """Return what a suffix begins with, by its position."""
        text = self._text
        return lambda at: text[at : at + size]
