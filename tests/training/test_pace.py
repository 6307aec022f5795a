"""A run with a time budget ends in time, however the machine's speed changes."""

import dataclasses

import pytest

from textgen.config import TrainingConfig
from textgen.training import pace as pace_module
from textgen.training.checkpoint_manager import State
from textgen.training.clock import Clock
from textgen.training.pace import Pace

CONFIG = TrainingConfig(max_steps=10**6, schedule="wsd", warmup_steps=10)
VALIDATION, EXPORT = 1.0, 6.0


class Machine:
    """A machine whose time passes only in steps and validations."""

    def __init__(self, seconds_per_step):
        self.now = 1000.0
        self.seconds_per_step = seconds_per_step

    def monotonic(self):
        return self.now

    def run(self, pace, state, clock, calls=10**5):
        """Train as the loop does; return the steps at which the run was validated."""
        validated, steps = [], 1
        for _ in range(calls):
            count = pace.num_steps(steps)
            seconds = count * self.seconds_per_step(self.now - 1000)
            self.now += seconds
            clock.add(count, seconds)
            state.step += count
            steps = clock.steps_per_call()
            if pace.is_validation_due():
                self.now += VALIDATION
                pace.validated(VALIDATION)
                validated.append(state.step)
            if pace.reason_to_end or pace.is_late:
                break
            pace.decide()
        return validated


@pytest.fixture
def start(monkeypatch):
    """Start a run of so many seconds on a machine."""

    def make(seconds_per_step, seconds=120.0, state=None, config=CONFIG, compiling=0.0):
        machine = Machine(seconds_per_step)
        # Only this module's clock: by the real one, threads of other tests sleep.
        monkeypatch.setattr(pace_module, "time", machine)
        monkeypatch.setattr(pace_module, "contention", lambda: 1.0)
        state = State() if state is None else state
        clock = Clock(100)
        clock.add(1, 1.0)  # the call that compiles
        pace = Pace(config, state, clock, 10.0, machine.now + seconds, EXPORT)
        machine.now += compiling
        pace.begin()
        return machine, pace, state, clock

    return make


SPEEDS = {
    "steady": lambda now: 0.05,
    "busy from the middle on": lambda now: 0.05 if now < 60 else 0.2,
    "idle from the middle on": lambda now: 0.2 if now < 60 else 0.05,
    "busy in the descent": lambda now: 0.05 if now < 90 else 0.25,
    "now and then": lambda now: 0.05 if int(now / 7) % 2 else 0.3,
    "slow": lambda now: 0.4,
}


@pytest.mark.parametrize("speed", SPEEDS.values(), ids=SPEEDS)
def test_the_rate_has_come_down_when_the_time_is_used(start, speed):
    machine, pace, state, clock = start(speed)
    validated = machine.run(pace, state, clock)
    used = machine.now - 1000 + EXPORT
    assert pace.reason_to_end == "time_budget"
    assert 95 < used < 125
    assert pace.schedule.fraction(state.step) == 0
    assert pace.schedule.fraction(state.step // 3) == 1
    assert validated[-1] == state.step
    assert 2 <= len(validated) <= 12


def test_a_corpus_that_is_read_out_ends_the_run_early(start):
    config = dataclasses.replace(CONFIG, max_steps=500)
    machine, pace, state, clock = start(lambda now: 0.05, config=config)
    machine.run(pace, state, clock)
    assert (state.step, pace.reason_to_end) == (500, "max_steps")
    assert pace.schedule.fraction(300) == pytest.approx(1, abs=0.1)
    assert pace.schedule.fraction(500) == 0


def test_a_few_steps_are_taken_even_if_that_is_late(start):
    machine, pace, state, clock = start(lambda now: 0.01, seconds=9)
    machine.run(pace, state, clock)
    assert state.step >= 200
    assert machine.now - 1000 + EXPORT < 9 + 2.5


def test_a_compilation_that_takes_all_of_the_time_is_followed_by_some_steps(start):
    machine, pace, state, clock = start(lambda now: 0.2, compiling=200.0)
    machine.run(pace, state, clock)
    assert 100 < state.step <= 200
    assert machine.now - 1000 < 200 + 0.25 * 120 + 2


def test_steps_that_take_too_long_are_waited_for_a_quarter_of_the_time(start):
    machine, pace, state, clock = start(lambda now: 2.0, seconds=30)
    machine.run(pace, state, clock)
    assert 10 < state.step < 20
    assert machine.now - 1000 + EXPORT < 30 * 1.25 + 2.0


def test_a_first_sample_that_would_take_a_tenth_of_the_time_is_left_out(start):
    for seconds, affords in ((30, False), (300, True)):
        _, pace, _, _ = start(lambda now: 0.05, seconds=seconds)
        assert pace.affords_sample == affords
    pace.validated(1.0, sample_seconds=3.0)
    assert pace.affords_sample


def test_the_time_of_the_first_sample_tells_how_long_the_export_will_take(start):
    machine, pace, state, clock = start(lambda now: 0.05)
    machine.run(pace, state, clock, calls=10)
    steps = pace.expected_end
    pace.validated(1.0, sample_seconds=20.0)
    assert pace.expected_end < steps - 200


def test_a_decision_is_repeated_without_the_clock(start):
    machine, pace, state, clock = start(lambda now: 0.05)
    while not pace.schedule.has_descended:
        machine.run(pace, state, clock, calls=1)
    decided = dataclasses.replace(state, schedule=list(state.schedule))
    again = Pace(CONFIG, decided, Clock(100), 10.0)
    steps = range(state.step, pace.end)
    assert [again.schedule.fraction(s) for s in steps] == [pace.schedule.fraction(s) for s in steps]
    assert again.end == pace.end


def test_a_run_that_has_ended_climbs_and_descends_again_with_more_time(start):
    machine, pace, state, clock = start(lambda now: 0.05)
    machine.run(pace, state, clock)
    ended = state.step
    machine, pace, state, clock = start(lambda now: 0.05, seconds=60, state=state)
    pace.extend()
    assert pace.reason_to_end is None
    machine.run(pace, state, clock)
    assert state.step > ended + 500
    assert pace.schedule.fraction(ended + 100) == 1
    assert pace.schedule.fraction(state.step) == 0
    assert machine.now - 1000 + EXPORT < 65


def test_more_steps_than_the_time_allowed_have_a_descent_of_their_own(start):
    machine, pace, state, clock = start(lambda now: 0.05)
    machine.run(pace, state, clock)
    ended, state.seconds_left = state.step, None
    longer = Pace(dataclasses.replace(CONFIG, max_steps=ended + 1000), state, Clock(100))
    longer.extend()
    assert longer.end == ended + 1000
    assert longer.schedule.fraction(ended + 500) == 1
    assert longer.schedule.fraction(ended + 800) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", ["auto", "cosine", "wsd"])
def test_a_run_of_given_steps_ignores_the_clock(schedule):
    config = TrainingConfig(max_steps=40, schedule=schedule)
    pace = Pace(config, state := State(), Clock(100))
    assert (pace.end, pace.num_steps(100)) == (40, 4)
    assert not pace.decide()
    state.step = 4
    assert pace.is_validation_due()
    state.step = 40
    assert pace.reason_to_end == "max_steps"
    assert state.schedule is None
