"""When a run validates, when its learning rate falls, and when it ends: by step or by the clock.

A run of a known number of steps has a fixed schedule. A run with a time budget cannot know the
number: other programs may take the processor at any time. Its rate is constant until the time
left is only enough to bring it down. What is decided is part of the next checkpoint, which is
written before the next step, so a resumed run repeats it.
"""

from __future__ import annotations

import math
import time

from textgen.config import TrainingConfig
from textgen.training.checkpoint_manager import State
from textgen.training.clock import Clock
from textgen.training.schedule import (
    DESCENT_FRACTION,
    Schedule,
    rising,
    schedule_of,
    warmup_steps,
)

# Validations take at most this fraction of the time, and there are at most this many.
_VALIDATION_FRACTION, _MIN_VALIDATIONS, _MAX_VALIDATIONS = 0.06, 2, 10
# Seconds by which the first validation takes longer than its steps, because it compiles.
_COMPILE_SECONDS = 2.0
# An export takes as long as this many first samples, and a later sample this fraction of one.
_SAMPLES_PER_EXPORT, _LATER_SAMPLE = 2.0, 0.1
# There are no samples if the first would take more than this fraction of the time.
_MAX_SAMPLE_FRACTION = 0.1
# A descent is planned again if its length is off by this much, but only now and then. To end at a
# rate of zero, it may be late by this fraction of the time.
_TOLERANCE, _SECONDS_BETWEEN_DECISIONS, _SLACK = 0.1, 2.0, 0.02
_SECONDS_BETWEEN_PROBES, _PROBE_SECONDS = 5.0, 0.01
# Seconds of an export on an idle machine, if nothing better is known.
EXPORT_SECONDS = 8.0
# Fewer steps give noise. For them, a run may be late by this fraction of its time.
_MIN_STEPS, _MAX_DELAY = 200, 0.25
_MANY_STEPS = 2**31 - 1  # more than any run takes


class Pace:
    """Decides when a run validates, when its learning rate falls, and when it ends.

    Args:
        config: How the run is trained.
        state: The run's progress. Decisions are recorded in it.
        clock: Measures steps.
        validation_steps: The work of a validation, in training steps.
        deadline: When the model must be exported, on the clock of `time.monotonic`. If infinite,
            the run takes `max_steps`, or the time left that `state` records.
        closing_seconds: Seconds that the export takes if the machine stays as it is.
    """

    def __init__(
        self,
        config: TrainingConfig,
        state: State,
        clock: Clock,
        validation_steps: float = 0.0,
        deadline: float = math.inf,
        closing_seconds: float = EXPORT_SECONDS,
    ) -> None:
        now = time.monotonic()
        if math.isinf(deadline) and state.seconds_left is not None:
            deadline = now + max(state.seconds_left, 0.0)
        self._config, self._state, self._clock = config, state, clock
        self._validation_steps = validation_steps
        self._num_validations = 0
        self._validation_seconds: float | None = None
        self._sample_seconds: float | None = None
        self._started, self._training_seconds = now, math.inf
        self._deadline = deadline
        self._closing_seconds = closing_seconds
        self._seconds = deadline - now
        self._max_steps = config.max_steps
        self._follows_clock = self._is_limited and (
            config.schedule == "wsd" or state.schedule is not None
        )
        self._decided_at = self._probed_at = -math.inf
        self._contention = contention() if self._is_limited else 1.0
        if state.schedule is not None:
            self.schedule = Schedule.from_points(state.schedule)
        elif self._follows_clock:
            self._record(rising(warmup_steps(config, config.max_steps)))
        else:
            self.schedule = schedule_of(config)

    @property
    def _is_limited(self) -> bool:
        return math.isfinite(self._deadline)

    def extend(self) -> None:
        """Begin another climb and descent: for more time, or up to another `max_steps`."""
        state, step = self._state, self._state.step
        fraction = self.schedule.fraction(step)
        if self.schedule.has_descended:
            state.leg_start = step
            start = Schedule(((step, fraction),))
            warmup = warmup_steps(self._config, self._config.max_steps)
            self._record(start.then((step + max(warmup, 1), 1.0)))
        if not self._is_limited:
            end = max(self._config.max_steps, step + 1)
            descent = max(self.schedule.end, end - round(DESCENT_FRACTION * (end - step)))
            self._record(self.schedule.then((descent, 1.0), (max(end, descent + 1), 0.0)))
            state.seconds_left = None
        else:
            self._follows_clock = True
            self._record(self.schedule)
            if step >= self._max_steps:
                self._max_steps = _MANY_STEPS

    @property
    def end(self) -> int:
        """The step at which the run ends, as far as it is decided."""
        is_decided = self._state.schedule is not None and self.schedule.has_descended
        return self.schedule.end if is_decided else self._max_steps

    @property
    def expected_end(self) -> int:
        """The step at which the run will probably end."""
        if not self._follows_clock or self.schedule.has_descended:
            return self.end
        return min(self._max_steps, self._state.step + self._steps_left())

    @property
    def seconds_left(self) -> float:
        """The seconds until the run ends; infinite until a step has been measured."""
        steps = self.expected_end - self._state.step
        return steps * self._clock.seconds_per_step

    @property
    def reason_to_end(self) -> str | None:
        """Why the run ends at this step, or `None` if it does not."""
        if self._state.step < self.end:
            return None
        is_early = self._is_limited and self.end < self._max_steps
        return "time_budget" if is_early else "max_steps"

    @property
    def is_late(self) -> bool:
        """Whether there is only time to validate and to export."""
        seconds = self._training_end - time.monotonic() - self._seconds_per_validation()
        seconds += _SLACK * self._seconds if self.schedule.has_descended else 0.0
        return seconds <= 0 and not self._missing_steps

    @property
    def is_time_up(self) -> bool:
        """Whether the time was already used up when the run was resumed."""
        return self._seconds <= 0

    def begin(self) -> None:
        """Record that the first step is compiled, so that training begins now."""
        self._started = time.monotonic()
        left = self._training_end - self._started
        self._training_seconds = max(left, _MAX_DELAY * self._seconds)

    def num_steps(self, wanted: int) -> int:
        """Return how many of the wanted steps to take before something is due."""
        step = self._state.step
        return min(wanted, self._next_validation() - step, max(self.end - step, 1))

    def is_validation_due(self) -> bool:
        """Return whether the schedule has a validation at this step."""
        return self._state.step in (self._next_validation(before=True), self.end)

    @property
    def affords_sample(self) -> bool:
        """Whether there is time for a sample; the first one takes longest."""
        left = self._training_end - time.monotonic()
        if not self._is_limited or self._sample_seconds is not None:
            return True
        return self._first_sample_seconds <= min(_MAX_SAMPLE_FRACTION * self._seconds, left)

    def validated(self, seconds: float, sample_seconds: float | None = None) -> None:
        """Record how long a validation and its sample took, and decide on the next."""
        if self._num_validations:  # the first one compiled
            self._validation_seconds = seconds + (sample_seconds or 0.0)
        self._num_validations += 1
        if self._sample_seconds is None:
            self._sample_seconds = sample_seconds
        self._state.next_validation = None
        self._plan_validation()

    def decide(self) -> bool:
        """Decide what the clock asks for. Return whether something was decided.

        The decision must be saved before the next step.
        """
        if not self._follows_clock or not math.isfinite(self._clock.seconds_per_step):
            return False
        now, step = time.monotonic(), self._state.step
        if self._state.next_validation is None:
            self._plan_validation()
        if self._probed_at + _SECONDS_BETWEEN_PROBES <= now:
            self._probed_at = now
            self._contention = 0.5 * self._contention + 0.5 * contention()
        end = min(step + self._steps_left(), self._max_steps)
        if self.schedule.has_descended:
            planned, left = self.schedule.end - step, end - step
            is_off = abs(left - planned) > _TOLERANCE * planned
            if planned <= 0 or not is_off or now < self._decided_at + _SECONDS_BETWEEN_DECISIONS:
                return False
        elif step < end - DESCENT_FRACTION * (end - self._state.leg_start):
            return False
        self._decided_at = now
        self._record(self.schedule.until(step).then((max(end, step + 1), 0.0)))
        return True

    def record_time(self) -> None:
        """Record how much time is left, for the checkpoint."""
        if self._is_limited:
            self._state.seconds_left = self._deadline - time.monotonic()

    @property
    def _training_end(self) -> float:
        """When the last validation must be done, on the clock of `time.monotonic`."""
        return self._deadline - _SAMPLES_PER_EXPORT * self._first_sample_seconds

    @property
    def _first_sample_seconds(self) -> float:
        """The seconds of the first sample, measured or estimated."""
        if self._sample_seconds is not None:
            return self._sample_seconds
        closing = max(self._closing_seconds, EXPORT_SECONDS * self._contention)
        return closing / _SAMPLES_PER_EXPORT

    @property
    def _missing_steps(self) -> int:
        """The steps without which the time so far is wasted: as many as a delay may take."""
        # A model that the run began from is useful without any.
        needed = _MIN_STEPS if self._state.initial_loss is None else 0
        missing = max(0, needed - (self._state.step - self._state.leg_start))
        seconds_per_step = self._clock.seconds_per_step
        if not math.isfinite(seconds_per_step):
            return missing if self._seconds > 0 else 0
        end = max(self._training_end, self._started) + _MAX_DELAY * self._seconds
        seconds = end - time.monotonic()
        return min(missing, max(0, int(seconds / seconds_per_step)))

    def _steps_left(self) -> int:
        """Return how many steps fit into the time left, next to validations and the export."""
        validation = self._seconds_per_validation()
        seconds = self._training_end - time.monotonic() - validation
        if self._config.validate_every is None:
            seconds *= 1 - validation / (self._validation_interval() + validation)
        steps = int(min(seconds / self._clock.seconds_per_step, _MANY_STEPS))
        return max(1, steps, self._missing_steps)

    def _seconds_per_validation(self) -> float:
        """Return the seconds of the next validation with its sample."""
        if self._validation_seconds is not None:
            return self._validation_seconds
        seconds = 0.0 if self._num_validations else _COMPILE_SECONDS * self._contention
        if math.isfinite(self._clock.seconds_per_step):
            seconds += self._validation_steps * self._clock.seconds_per_step
        if self._sample_seconds is not None:
            return seconds + _LATER_SAMPLE * self._sample_seconds
        return seconds + (self._first_sample_seconds if self.affords_sample else 0.0)

    def _validation_interval(self) -> float:
        """Return the seconds between validations."""
        seconds = self._training_seconds
        interval = self._seconds_per_validation() / _VALIDATION_FRACTION
        return min(max(interval, seconds / _MAX_VALIDATIONS), seconds / _MIN_VALIDATIONS)

    def _plan_validation(self) -> None:
        seconds_per_step = self._clock.seconds_per_step
        if self._by_clock and math.isfinite(seconds_per_step):
            steps = max(1, round(self._validation_interval() / seconds_per_step))
            self._state.next_validation = self._state.step + steps

    @property
    def _by_clock(self) -> bool:
        return self._follows_clock and self._config.validate_every is None

    def _next_validation(self, *, before: bool = False) -> int:
        """Return the step of the next validation; with `before`, it may be this step."""
        step = self._state.step
        if self._by_clock:
            planned = self._state.next_validation
            return _MANY_STEPS if planned is None else planned
        every = self._config.validate_every or max(1, self._config.max_steps // 10)
        if before and step % every == 0:
            return step
        return step + every - step % every

    def _record(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._state.schedule = [list(point) for point in schedule.points]


def contention() -> float:
    """Return how many times longer a thread takes than alone, because others use its core."""
    started, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _PROBE_SECONDS:
        pass
    return max(1.0, (time.monotonic() - started) / _PROBE_SECONDS)
