"""The learning rate by step: points joined by lines, to which a run may add while it trains.

A run whose length is known has all its points at the start. A run that follows the clock begins
with warmup and a constant rate; the points of its descent are added once the time left is what
the descent needs. Because the points are part of every checkpoint, a resumed run repeats them.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from textgen.config import TrainingConfig

# The last rate of a cosine, as a fraction of the peak.
_FINAL_FRACTION = 0.1
# The fraction of all steps in which the rate falls from the peak to zero; see
# docs/explanation/laboratory.md.
DESCENT_FRACTION = 0.4
_MAX_WARMUP_STEPS, _WARMUP_FRACTION = 100, 1 / 20

Point = tuple[int, float]


@dataclass(frozen=True)
class Schedule:
    """A learning rate as a fraction of its peak, by the number of steps done.

    Attributes:
        points: Pairs of a step and the fraction there, by step. After the last point the
            fraction stays the same.
        is_cosine: Whether the fraction falls along half a cosine instead of a line.

    Example:
        >>> Schedule(((0, 0.0), (10, 1.0))).fraction(5)
        0.5
    """

    points: tuple[Point, ...]
    is_cosine: bool = False

    @classmethod
    def from_points(cls, points: Iterable[Iterable[float]]) -> Schedule:
        """Return a schedule of lines; JSON has lists where points have tuples."""
        return cls(tuple((int(step), float(fraction)) for step, fraction in points))

    @property
    def end(self) -> int:
        """The step of the last point."""
        return self.points[-1][0]

    @property
    def has_descended(self) -> bool:
        """Whether the descent has been decided on."""
        return self.points[-1][1] < 1

    def fraction(self, step: int) -> float:
        """Return the fraction of the peak after `step` steps."""
        index = bisect.bisect_right(self.points, step, key=lambda point: point[0])
        if index == len(self.points):
            return self.points[-1][1]
        (before, start), (after, goal) = self.points[max(index - 1, 0)], self.points[index]
        way = min(max((step - before) / max(after - before, 1), 0.0), 1.0)
        if self.is_cosine and goal < start:
            # Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
            way = (1 - math.cos(math.pi * way)) / 2
        return start + (goal - start) * way

    def fractions(self, first_step: int, count: int) -> np.ndarray:
        """Return the fractions of `count` steps after `first_step`, float32[count]."""
        steps = range(first_step, first_step + count)
        return np.array([self.fraction(step) for step in steps], np.float32)

    def until(self, step: int) -> Schedule:
        """Return the schedule up to a step, at whose fraction it then stays."""
        kept = tuple(point for point in self.points if point[0] < step)
        return Schedule((*kept, (step, self.fraction(step))), self.is_cosine)

    def then(self, *points: Point) -> Schedule:
        """Return the schedule with more points."""
        return Schedule((*self.points, *points), self.is_cosine)


def warmup_steps(config: TrainingConfig, num_steps: int) -> int:
    """Return the number of warmup steps of a run of `num_steps`."""
    if config.warmup_steps is not None:
        return config.warmup_steps
    return min(_MAX_WARMUP_STEPS, int(num_steps * _WARMUP_FRACTION))


def rising(warmup: int) -> Schedule:
    """Return linear warmup to the peak, which the rate then keeps."""
    return Schedule(((0, 1 / (warmup + 1)), (warmup, 1.0)) if warmup else ((0, 1.0),))


def schedule_of(config: TrainingConfig) -> Schedule:
    """Return the schedule of a run of `max_steps`."""
    end = config.max_steps
    warmup = warmup_steps(config, end)
    start = rising(warmup)
    if config.schedule == "constant":
        return start
    if config.schedule == "linear":
        return start.then((max(end, warmup + 1), 0.0))
    if config.schedule == "wsd":
        descent = max(warmup, end - round(DESCENT_FRACTION * end))
        return start.then((descent, 1.0), (max(end, descent + 1), 0.0))
    cosine = start.then((max(end, warmup + 1), _FINAL_FRACTION))
    return Schedule(cosine.points, is_cosine=True)
