"""What a plan is asked for: what to keep, and how long it may take."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass, field

from textgen.checks import check_finite
from textgen.config import ModelConfig, TrainingConfig
from textgen.errors import ConfigError
from textgen.planning.machine import Machine
from textgen.planning.plan import Plan

_CPU_SECONDS, _GPU_SECONDS = 300.0, 600.0
# However long the corpus took to read: a model that has hardly learned helps nobody.
_LEAST_SHARE = 0.25
_SETTINGS = {field.name for of in (ModelConfig, TrainingConfig) for field in dataclasses.fields(of)}


@dataclass(frozen=True)
class Planning:
    """A wish to have a run planned.

    Attributes:
        fixed: names of settings of `ModelConfig` and `TrainingConfig` that the plan must keep.
        time_budget: seconds from `started` to the exported model; 5 minutes on a CPU and 10 on
            a GPU where `None`. A run with a fixed `max_steps` takes the time that they take.
        started: when the time began to run, on `time.monotonic`'s clock.
    """

    fixed: frozenset[str] = frozenset()
    time_budget: float | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if unknown := sorted(self.fixed - _SETTINGS):
            raise ConfigError(
                "fixed must name settings of the model and its training. "
                f"Received: {', '.join(unknown)}"
            )
        if self.time_budget is not None:
            check_finite(self, "time_budget", 0, above=True)

    def seconds_left(self, machine: Machine) -> float:
        """Return how long the run may still take, which is never too short to learn a little."""
        budget = self.time_budget
        if budget is None:
            budget = _GPU_SECONDS if machine.is_gpu else _CPU_SECONDS
        return max(self.started + budget - time.monotonic(), _LEAST_SHARE * budget)

    def deadline(self, plan: Plan) -> float:
        """Return when training must stop on `time.monotonic`'s clock, which may be never.

        A plan that is known to take longer than the budget may take what it needs.
        """
        if "max_steps" in self.fixed:
            return math.inf
        seconds = max(self.seconds_left(plan.machine), plan.seconds)
        return time.monotonic() + seconds - plan.closing_seconds
