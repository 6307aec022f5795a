"""The clock knows how fast steps are, once the first call has compiled them."""

import math

import pytest

from textgen.training.clock import Clock


def test_the_first_call_compiles_and_counts_for_nothing():
    clock = Clock(100)
    assert clock.add(1, 30.0)
    assert clock.seconds_per_step == math.inf
    assert (clock.steps_per_call(), clock.tokens_per_second) == (1, 0)
    assert not clock.add(1, 0.2)
    assert clock.seconds_per_step == pytest.approx(0.2)
    assert clock.tokens_per_second == pytest.approx(500)


def test_a_lap_is_the_speed_since_the_lap_before():
    clock = Clock(100)
    clock.add(1, 30.0)
    assert clock.lap() is None
    clock.add(1, 0.5)
    clock.add(3, 1.5)
    assert clock.lap() == pytest.approx(200)
    clock.add(1, 0.1)
    assert clock.lap() == pytest.approx(1000)
    assert clock.lap() is None


def test_a_call_takes_about_half_a_second_but_is_a_step_at_least():
    fast, slow = Clock(1), Clock(1)
    for clock, seconds in ((fast, 0.01), (slow, 7.0)):
        clock.add(1, 30.0)
        clock.add(1, seconds)
    assert fast.steps_per_call() == 50
    assert slow.steps_per_call() == 1


def test_one_slow_call_moves_the_mean_a_little():
    clock = Clock(1)
    clock.add(1, 30.0)
    clock.add(10, 10.0)
    clock.add(10, 20.0)
    assert clock.seconds_per_step == pytest.approx(1.3)
