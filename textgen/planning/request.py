"""What a plan is asked for: which settings to keep, and how long the run may take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from textgen.checks import check_finite
from textgen.planning.machine import Machine
from textgen.planning.plan import Plan

_CPU_SECONDS, _GPU_SECONDS = 300.0, 600.0
# Kept for training however long the corpus took to read: a model that has hardly learned is
# of no use.
_MIN_FRACTION = 0.25


@dataclass(frozen=True)
class PlanRequest:
    """A request to plan a run.

    Attributes:
        fixed: Names of the settings that the plan must keep.
        time_budget: Seconds from `started` to the exported model. If `None`, 5 minutes on a CPU
            and 10 on a GPU. A run with a fixed `max_steps` or `epochs` takes as long as its
            steps take.
        started: When the time budget began, on the clock of `time.monotonic`.
    """

    fixed: frozenset[str] = frozenset()
    time_budget: float | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.time_budget is not None:
            check_finite(self, "time_budget", 0, above=True)

    def seconds_left(self, machine: Machine) -> float:
        """Return how long the run may still take: always enough to learn a little."""
        budget = self.time_budget
        if budget is None:
            budget = _GPU_SECONDS if machine.is_gpu else _CPU_SECONDS
        return max(self.started + budget - time.monotonic(), _MIN_FRACTION * budget)

    def deadline(self, plan: Plan) -> float:
        """Return when the model must be exported, on the clock of `time.monotonic`, or infinity.

        A plan that could not fit into the budget on an idle machine may take the time it needs.
        """
        if not self.fixed.isdisjoint(("max_steps", "epochs")):
            return math.inf
        seconds = plan.seconds / plan.machine.contention
        return time.monotonic() + max(self.seconds_left(plan.machine), seconds)
