"""The speed of a run, and how much work one call into TensorFlow should hold."""

from __future__ import annotations

import math

# Seconds a call into TensorFlow should take: long enough to hide the host's work,
# short enough for a progress bar and for Ctrl-C.
_SECONDS_A_CALL = 0.5


class Clock:
    """Measures steps; leaves out the first call, which compiles.

    Args:
        tokens_a_step: over all replicas.

    Attributes:
        seconds_a_step: infinite until it is known.
    """

    def __init__(self, tokens_a_step: int) -> None:
        self._tokens_a_step = tokens_a_step
        self._compiled = False
        self._lap_steps, self._lap_seconds = 0, 0.0
        self.seconds_a_step = math.inf

    def add(self, steps: int, seconds: float) -> bool:
        """Take note of a call; return whether it was the first."""
        if not self._compiled:
            self._compiled = True
            return True
        self._lap_steps += steps
        self._lap_seconds += seconds
        measured = seconds / steps
        # A running mean, so that the bar's figures do not jump.
        known = math.isfinite(self.seconds_a_step)
        self.seconds_a_step = 0.7 * self.seconds_a_step + 0.3 * measured if known else measured
        return False

    def steps_a_call(self) -> int:
        """How many steps the next call should hold."""
        if not math.isfinite(self.seconds_a_step):
            return 1
        return max(1, round(_SECONDS_A_CALL / self.seconds_a_step))

    @property
    def tokens_per_second(self) -> float:
        """Tokens learned from in a second; 0 until it is known."""
        return self._tokens_a_step / self.seconds_a_step

    def lap(self) -> float | None:
        """Return the tokens learned from in a second since the lap before.

        `None` where nothing was measured.
        """
        steps, seconds = self._lap_steps, self._lap_seconds
        self._lap_steps, self._lap_seconds = 0, 0.0
        return steps * self._tokens_a_step / seconds if steps else None
