"""The characters of a text, and what one that is not among them costs."""

from __future__ import annotations

import math

import numpy as np

from textgen.metrics import unknown_nats


class Alphabet:
    """The characters of a training text.

    Args:
        text: The text; not empty.

    Attributes:
        points: int32[V], its characters in order.
        counts: int64[V], how often each occurs.

    Example:
        >>> Alphabet("abba").encode("abc").tolist()
        [0, 1, 2]
    """

    def __init__(self, text: str) -> None:
        self.points, self.counts = np.unique(code_points(text), return_counts=True)
        total = int(self.counts.sum())
        # Good and Turing: the probability of something new is that of what was seen just once.
        self._new = (int((self.counts == 1).sum()) + 1) / (total + 2)

    def __len__(self) -> int:
        return len(self.points)

    def encode(self, text: str) -> np.ndarray:
        """Return the index of each character, int32[N]; V for one that is not there."""
        points = code_points(text)
        at = np.minimum(np.searchsorted(self.points, points), len(self) - 1)
        return np.where(self.points[at] == points, at, len(self)).astype(np.int32)

    def nats(self, codes: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Return the cost of characters in nats, float64[N].

        Args:
            codes: From `encode`.
            probability: float64[N], the model's probability of each if it is in the alphabet.
        """
        is_known = codes < len(self)
        known = -np.log(np.maximum(probability, np.finfo(float).tiny)) - math.log1p(-self._new)
        return np.where(is_known, known, unknown_nats(len(self)) - math.log(self._new))

    def uniform_nats(self, text: str) -> np.ndarray:
        """Return the cost of each character if all of the alphabet are equally likely."""
        codes = self.encode(text)
        return self.nats(codes, np.full(len(codes), 1 / len(self)))

    def unigram_nats(self, text: str) -> np.ndarray:
        """Return the cost of each character by how often it occurs."""
        codes = self.encode(text)
        share = np.append(self.counts / self.counts.sum(), 0.0)
        return self.nats(codes, share[codes])


def code_points(text: str) -> np.ndarray:
    """Return the code points of a text, uint32[N]."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
