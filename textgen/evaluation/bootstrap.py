"""Intervals of figures, by resampling the documents or blocks that they are the mean of.

Reference:
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
_TIMES = 1000


@dataclass(frozen=True)
class Figure:
    """A figure with its interval.

    Attributes:
        value: The figure.
        low: The lower end of the 95 % interval; `None` if there is no interval.
        high: Its upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def map(self, function: Callable[[float], float]) -> Figure:
        """Return the figure after an increasing function."""
        low = None if self.low is None else function(self.low)
        high = None if self.high is None else function(self.high)
        return Figure(function(self.value), low, high)

    def to_dict(self) -> dict[str, float | None]:
        """Return JSON values."""
        return dataclasses.asdict(self)


class Bootstrap:
    """The same resamples of the same units for every figure, so that differences are paired.

    Args:
        num_units: Documents or blocks. With fewer than two there are no intervals.
        seed: Seed of the resamples.

    Example:
        >>> Bootstrap(50).ratio(np.arange(50), np.ones(50)).value
        24.5
    """

    def __init__(self, num_units: int, seed: int = 0) -> None:
        self._weights: np.ndarray | None = None
        if num_units > 1:
            generator = np.random.default_rng(seed)
            self._weights = generator.multinomial(
                num_units, np.full(num_units, 1 / num_units), _TIMES
            ).astype(np.float64)

    def ratio(self, above: np.ndarray, below: np.ndarray) -> Figure:
        """Return a sum over the units divided by another.

        Args:
            above: float[U].
            below: float[U]; their sum is above 0.
        """
        return self.figure(
            lambda sums: sums[..., 0] / np.maximum(sums[..., 1], np.finfo(float).tiny),
            np.stack([above, below], axis=1),
        )

    def figure(self, function: Callable[[np.ndarray], np.ndarray], sums: np.ndarray) -> Figure:
        """Return a function of sums over the units.

        Args:
            function: Takes sums, float[..., S], to figures, float[...].
            sums: float[U, S], what each unit adds to them.
        """
        value = float(function(sums.sum(axis=0, dtype=np.float64)))
        if self._weights is None:
            return Figure(value)
        tail = 100 * (1 - LEVEL) / 2
        low, high = np.percentile(function(self._weights @ sums), [tail, 100 - tail])
        return Figure(value, float(low), float(high))
