"""The speed of a run, and how much work one call into TensorFlow should do."""

from __future__ import annotations

import math

# How long one call into TensorFlow should take: long enough to hide the host's work, short
# enough for a progress bar and for Ctrl-C.
_SECONDS_PER_CALL = 0.5


class Clock:
    """Measures the speed of steps, except those of the first call, which compiles.

    Args:
        tokens_per_step: Tokens per step, over all replicas.

    Attributes:
        seconds_per_step: A running mean; infinite until a step has been measured.
    """

    def __init__(self, tokens_per_step: int) -> None:
        self._tokens_per_step = tokens_per_step
        self._compiled = False
        self._lap_steps, self._lap_seconds = 0, 0.0
        self.seconds_per_step = math.inf

    def add(self, steps: int, seconds: float) -> bool:
        """Record a call. Return whether it was the first."""
        if not self._compiled:
            self._compiled = True
            return True
        self._lap_steps += steps
        self._lap_seconds += seconds
        measured = seconds / steps
        # A running mean keeps the bar's figures from jumping.
        known = math.isfinite(self.seconds_per_step)
        self.seconds_per_step = 0.7 * self.seconds_per_step + 0.3 * measured if known else measured
        return False

    def steps_per_call(self) -> int:
        """Return how many steps the next call should take."""
        if not math.isfinite(self.seconds_per_step):
            return 1
        return max(1, round(_SECONDS_PER_CALL / self.seconds_per_step))

    @property
    def tokens_per_second(self) -> float:
        """Training speed; 0 until it is known."""
        return self._tokens_per_step / self.seconds_per_step

    def lap(self) -> float | None:
        """Return the tokens per second since the previous lap; `None` if nothing was measured."""
        steps, seconds = self._lap_steps, self._lap_seconds
        self._lap_steps, self._lap_seconds = 0, 0.0
        return steps * self._tokens_per_step / seconds if steps else None
