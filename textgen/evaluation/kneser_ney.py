"""Interpolated Kneser-Ney: what counting the n-grams of a text predicts of another text.

It is the strongest model without learned features, and takes seconds, so it says what a number
of bits is worth. All steps are sorts and searches of NumPy, so tens of megabytes are no trouble.

Reference:
    Kneser and Ney, "Improved backing-off for M-gram language modeling", 1995; Chen and Goodman,
    "An Empirical Study of Smoothing Techniques for Language Modeling", 1999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textgen.evaluation.characters import Alphabet

ORDER = 5


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length.

    Attributes:
        keys: int64[K], sorted: number of the context (a shorter n-gram) times V, plus character.
        counts: int64[K]. Of the longest n-grams, how often each occurs; of shorter ones, after
            how many different characters.
        totals: int64[C], the sum of the counts after each context.
        kinds: int64[C], how many characters follow each context.
        discount: What is taken off every count.
    """

    keys: np.ndarray
    counts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray
    discount: float


class KneserNey:
    """A model of characters, each predicted from up to four before it.

    Args:
        text: The text to count; not empty.
        alphabet: The characters of the text.
        order: The length of the longest n-grams.
        discounts: What to take off the counts of the n-grams of 2, 3, ... characters. By
            default, Ney's estimate for each length.

    Example:
        >>> text = "abracadabra" * 9
        >>> nats = KneserNey(text, Alphabet(text)).nats("abra")
        >>> nats.shape, bool(nats[-1] < nats[0])
        ((4,), True)
    """

    def __init__(
        self,
        text: str,
        alphabet: Alphabet,
        order: int = ORDER,
        discounts: Sequence[float] | None = None,
    ) -> None:
        self._alphabet = alphabet
        size = len(alphabet)
        # grams[m - 1][i] is the number of the m-gram that ends at character i + m - 1.
        grams = [alphabet.encode(text).astype(np.int64)]
        keys = [np.arange(size, dtype=np.int64)]
        counts: list[np.ndarray] = []
        for _ in range(1, min(order, len(text))):
            shorter = grams[-1]
            key = shorter[:-1] * size + grams[0][len(grams) :]
            found, first, number, count = np.unique(
                key, return_index=True, return_inverse=True, return_counts=True
            )
            # Each different n-gram is one more character before the n-gram without its first.
            counts.append(np.bincount(shorter[first + 1], minlength=len(keys[-1])))
            keys.append(found)
            grams.append(number)
        counts.append(count if len(keys) > 1 else np.bincount(grams[0], minlength=size))
        self._first = counts[0] / max(int(counts[0].sum()), 1)
        self._orders = []
        for index in range(1, len(keys)):
            context = keys[index] // size
            contexts, own = len(keys[index - 1]), counts[index]
            totals = np.bincount(context, own, minlength=contexts).astype(np.int64)
            kinds = np.bincount(context[own > 0], minlength=contexts)
            discount = discounts[index - 1] if discounts else _estimate_discount(own)
            self._orders.append(_Order(keys[index], own, totals, kinds, discount))

    def nats(self, text: str) -> np.ndarray:
        """Return the cost of each character after those before it, float64[len(text)].

        A character that the counted text lacks costs what the alphabet says.
        """
        codes = self._alphabet.encode(text).astype(np.int64)
        is_known = codes < len(self._alphabet)
        probability = np.where(is_known, self._first[np.where(is_known, codes, 0)], 0.0)
        context = np.where(is_known, codes, -1)  # the shorter n-gram that ends at each character
        for order in self._orders:
            before = np.concatenate([[-1], context[:-1]])
            key = before * len(self._alphabet) + codes
            at = np.minimum(np.searchsorted(order.keys, key), len(order.keys) - 1)
            is_found = (before >= 0) & is_known & (order.keys[at] == key)
            total = np.where(before >= 0, order.totals[before], 0)
            count = np.where(is_found, order.counts[at], 0)
            seen = np.maximum(count - order.discount, 0)
            rest = order.discount * order.kinds[before] * probability
            mixed = (seen + rest) / np.maximum(total, 1)
            probability = np.where(total > 0, mixed, probability)
            context = np.where(is_found, at, -1)
        return self._alphabet.nats(codes, probability)


def _estimate_discount(counts: np.ndarray) -> float:
    """Return n1 / (n1 + 2 n2), with the numbers of n-grams that are counted once and twice."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    estimate = once / (once + 2 * twice) if once else 0.5
    return float(min(max(estimate, 0.05), 0.95)) if math.isfinite(estimate) else 0.5
