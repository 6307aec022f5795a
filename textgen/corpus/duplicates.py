"""Find documents that are exact or near copies of earlier ones.

A document's sketch is the smallest hash of its shingles (five words or eight characters in a row)
in each of 32 bins. Two documents that share most shingles share most of these, so near duplicates
have a band of four in common, and what has one is compared as a whole.

Reference:
    Broder, "On the resemblance and containment of documents", 1997; bins of one hash: Li, Owen
    and Zhang, "One Permutation Hashing", 2012, https://arxiv.org/abs/1208.1259.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from typing import Literal

_BINS = 32
_BAND = 4
_WORDS, _CHARACTERS = 5, 8
_EMPTY = 0xFFFFFFFF
# Shorter documents have too few shingles to be near copies of anything.
_MIN_SHINGLES = 32
SIMILARITY = 0.8


class DuplicateFinder:
    """Finds documents that are copies of earlier ones.

    Memory grows by about a kilobyte per document, whatever its length.

    Example:
        >>> finder = DuplicateFinder()
        >>> [finder.find(text) for text in ("To be.", "Or not.", "To  be.")]
        [None, None, 'exact']
    """

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._bands: dict[tuple[int, bytes], int] = {}
        self._sketches: list[array[int]] = []

    def find(self, text: str) -> Literal["exact", "near"] | None:
        """Return whether a document is a copy of an earlier one, and remember it.

        Args:
            text: The document. White space makes no difference.

        Returns:
            `"exact"`, `"near"` if it shares about 80 % of its shingles, or `None`.
        """
        words = text.split()
        joined = " ".join(words)
        digest = hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._digests:
            return "exact"
        self._digests.add(digest)
        sketch = _sketch(joined, words)
        if sketch is None:
            return None
        bands = [
            (start, sketch[start : start + _BAND].tobytes()) for start in range(0, _BINS, _BAND)
        ]
        for band in bands:
            other = self._bands.get(band)
            if other is not None and _similarity(sketch, self._sketches[other]) >= SIMILARITY:
                return "near"
        for band in bands:
            self._bands.setdefault(band, len(self._sketches))
        self._sketches.append(sketch)
        return None


def _sketch(joined: str, words: list[str]) -> array[int] | None:
    """Return the smallest hash in each bin, uint32[32]; `None` for a short document."""
    # A text without spaces is compared by characters.
    if len(words) * _CHARACTERS >= len(joined) / 2:
        parts = [" ".join(words[i : i + _WORDS]) for i in range(len(words) - _WORDS + 1)]
    else:
        parts = [joined[i : i + _CHARACTERS] for i in range(len(joined) - _CHARACTERS + 1)]
    if len(parts) < _MIN_SHINGLES:
        return None
    sketch = array("I", [_EMPTY] * _BINS)
    for part in parts:
        value = zlib.crc32(part.encode("utf-8", "surrogatepass"))
        # The checksum's low bits are as good as a hash for choosing a bin.
        index = value % _BINS
        if value < sketch[index]:
            sketch[index] = value
    return sketch


def _similarity(one: array[int], other: array[int]) -> float:
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if (a, b) != (_EMPTY, _EMPTY)]
    return sum(a == b for a, b in pairs) / max(len(pairs), 1)
