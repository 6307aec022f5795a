"""A time budget: how much of it is left, and when training must stop."""

import math
import time

import pytest

from textgen.config import RunConfig
from textgen.errors import ConfigError
from textgen.planning import CorpusSize, Machine, Planning, make_plan

CPU, GPU = Machine("2 CPU cores", 200e9), Machine("1 GPU", 2e13, is_gpu=True)
CORPUS = CorpusSize(10**8, 10**7, 3 * 10**7, 2**18, 4096, 2.0)


def test_the_budget_runs_from_its_start():
    planning = Planning(time_budget=100, started=time.monotonic() - 30)
    assert planning.seconds_left(CPU) == pytest.approx(70, abs=5)


def test_a_gpu_is_given_more_time_by_default():
    assert Planning().seconds_left(GPU) > Planning().seconds_left(CPU) > 200


def test_reading_for_ages_leaves_a_quarter():
    planning = Planning(time_budget=100, started=time.monotonic() - 1000)
    assert planning.seconds_left(CPU) == 25


def test_training_stops_early_enough_to_export():
    planning = Planning(time_budget=200)
    plan = make_plan(RunConfig(), (), CORPUS, CPU, planning.seconds_left(CPU))
    left = planning.deadline(plan) - time.monotonic()
    assert left == pytest.approx(200 - plan.closing_seconds, abs=5)


def test_a_plan_that_cannot_fit_may_take_what_it_needs():
    planning = Planning(time_budget=1)
    plan = make_plan(RunConfig(), (), CORPUS, CPU, planning.seconds_left(CPU))
    assert planning.deadline(plan) - time.monotonic() > 1


def test_fixed_steps_are_never_stopped():
    planning = Planning(frozenset({"max_steps"}), time_budget=1)
    plan = make_plan(RunConfig(), planning.fixed, CORPUS, CPU, planning.seconds_left(CPU))
    assert planning.deadline(plan) == math.inf


@pytest.mark.parametrize("time_budget", [0, -1, math.nan, math.inf, "5m"])
def test_a_budget_is_a_positive_number(time_budget):
    with pytest.raises(ConfigError, match="time_budget must be"):
        Planning(time_budget=time_budget)


def test_only_settings_can_be_fixed():
    with pytest.raises(ConfigError, match=r"fixed must name settings .* Received: hiden_dim"):
        Planning(frozenset({"hiden_dim", "dropout"}))
