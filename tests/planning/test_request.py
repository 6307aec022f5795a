"""A time budget: how much of it is left, and when training must stop."""

import dataclasses
import math
import time

import pytest

from textgen.config import RunConfig
from textgen.errors import ConfigError
from textgen.planning import CorpusSize, Machine, PlanRequest, make_plan

CPU, GPU = Machine("2 CPU cores", 200e9), Machine("1 GPU", 2e13, is_gpu=True)
CORPUS = CorpusSize(10**8, 10**7, 3 * 10**7, 2**18, 4096, 2.0)


def test_the_budget_runs_from_its_start():
    request = PlanRequest(time_budget=100, started=time.monotonic() - 30)
    assert request.seconds_left(CPU) == pytest.approx(70, abs=30)


def test_a_gpu_is_given_more_time_by_default():
    assert PlanRequest().seconds_left(GPU) > PlanRequest().seconds_left(CPU) > 200


def test_reading_for_ages_leaves_a_quarter():
    request = PlanRequest(time_budget=100, started=time.monotonic() - 1000)
    assert request.seconds_left(CPU) == 25


def test_the_deadline_is_the_end_of_the_budget():
    request = PlanRequest(time_budget=200)
    plan = make_plan(RunConfig(), (), CORPUS, CPU, request.seconds_left(CPU))
    assert request.deadline(plan) - time.monotonic() == pytest.approx(200, abs=30)


def test_a_plan_that_cannot_fit_may_take_what_it_needs():
    request = PlanRequest(time_budget=1)
    plan = make_plan(RunConfig(), (), CORPUS, CPU, request.seconds_left(CPU))
    assert request.deadline(plan) - time.monotonic() > 1


def test_other_programs_do_not_move_the_deadline():
    request = PlanRequest(time_budget=60)
    busy = dataclasses.replace(CPU, contention=10.0)
    plan = make_plan(RunConfig(), (), CORPUS, busy, request.seconds_left(busy))
    assert plan.seconds > 100
    assert request.deadline(plan) - time.monotonic() == pytest.approx(60, abs=30)


def test_fixed_steps_are_never_stopped():
    request = PlanRequest(frozenset({"max_steps"}), time_budget=1)
    plan = make_plan(RunConfig(), request.fixed, CORPUS, CPU, request.seconds_left(CPU))
    assert request.deadline(plan) == math.inf


@pytest.mark.parametrize("time_budget", [0, -1, math.nan, math.inf, "5m"])
def test_a_budget_is_a_positive_number(time_budget):
    with pytest.raises(ConfigError, match="time_budget must be"):
        PlanRequest(time_budget=time_budget)
