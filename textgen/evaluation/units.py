"""The documents or blocks of a text, from which intervals are made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from textgen.evaluation.bootstrap import Bootstrap

# From so many documents on, documents are the units; a few say little about another one.
_MIN_DOCUMENTS = 30
# Characters that depend on each other little farther apart.
_CHARACTERS_PER_BLOCK = 1000
_MIN_BLOCKS, _MAX_UNITS = 20, 1000


class Units:
    """Pieces of a text that are drawn as a whole by the bootstrap.

    These are documents, if there are at least 30, or else blocks of at least 1,000 characters, of
    which there are at least 20. More than 1,000 are joined with their neighbors.

    Args:
        documents: The texts; not empty.

    Attributes:
        kind: `"documents"` or `"blocks"`.
        characters: float64[U], the characters of each unit.
        bytes: float64[U], their size in UTF-8.

    Example:
        >>> units = Units(["a" * 5000])
        >>> units.kind, len(units)
        ('blocks', 20)
    """

    def __init__(self, documents: Sequence[str]) -> None:
        lengths = np.array([len(text) for text in documents], np.int64)
        total = int(lengths.sum())
        if len(documents) >= _MIN_DOCUMENTS:
            self.kind = "documents"
            ends = np.cumsum(lengths)
            if len(ends) > _MAX_UNITS:
                ends = ends[np.arange(1, _MAX_UNITS + 1) * len(ends) // _MAX_UNITS - 1]
        else:
            self.kind = "blocks"
            count = min(max(total // _CHARACTERS_PER_BLOCK, _MIN_BLOCKS), _MAX_UNITS, total)
            ends = np.arange(1, count + 1) * total // count
        self._ends = ends
        self.num_characters = total
        self.characters = np.diff(ends, prepend=0).astype(np.float64)
        text = "".join(documents)
        data = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        sizes = 1 + (data > 0x7F).astype(np.int64) + (data > 0x7FF) + (data > 0xFFFF)
        self.bytes = np.add.reduceat(sizes, np.concatenate([[0], ends[:-1]])).astype(np.float64)

    def __len__(self) -> int:
        return len(self._ends)

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Resamples of the units, the same for every figure."""
        return Bootstrap(len(self))

    def of_tokens(self, num_characters: np.ndarray) -> np.ndarray:
        """Return the unit in which each token begins, int64[N].

        Args:
            num_characters: int[N], the characters that begin in each token, in order.
        """
        begins = np.cumsum(num_characters) - num_characters
        return np.minimum(np.searchsorted(self._ends, begins, side="right"), len(self) - 1)

    def sum_characters(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over the characters of each unit, float64[U].

        Args:
            values: float64[num_characters].
        """
        return np.add.reduceat(values, np.concatenate([[0], self._ends[:-1]]))
