"""The learning rate rises, stays and falls as its points say."""

import itertools

import numpy as np
import pytest

from textgen.config import TrainingConfig
from textgen.training.schedule import Schedule, rising, schedule_of


def fractions(schedule, steps=100, **settings):
    config = TrainingConfig(max_steps=steps, schedule=schedule, **settings)
    return [schedule_of(config).fraction(step) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "wsd", "auto"])
def test_every_schedule_warms_up_and_never_rises_afterwards(schedule):
    found = fractions(schedule, warmup_steps=10)
    assert found[0] == pytest.approx(1 / 11)
    assert found[5] == pytest.approx((found[0] + 1) / 2)
    assert found[10] == 1
    assert all(after <= before for before, after in itertools.pairwise(found[10:]))


def test_the_ends_are_those_of_the_names():
    assert fractions("constant")[-1] == 1
    assert fractions("cosine")[-1] == fractions("auto")[-1] == pytest.approx(0.1)
    assert fractions("linear")[-1] == fractions("wsd")[-1] == 0
    assert fractions("wsd")[60] == 1
    assert fractions("wsd")[80] == pytest.approx(0.5)


def test_a_cosine_is_that_of_keras():
    import keras

    config = TrainingConfig(max_steps=50, warmup_steps=5)
    theirs = keras.optimizers.schedules.CosineDecay(
        1 / 6, decay_steps=45, alpha=0.1, warmup_target=1.0, warmup_steps=5
    )
    wanted = [float(theirs(step)) for step in range(50)]
    np.testing.assert_allclose(schedule_of(config).fractions(0, 50), wanted, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "wsd"])
def test_a_run_of_a_few_steps_has_a_rate(schedule, steps):
    assert all(0 < fraction <= 1 for fraction in fractions(schedule, steps)[:steps])


def test_a_descent_begins_where_the_schedule_is():
    schedule = rising(10).until(50).then((60, 0.0))
    assert [schedule.fraction(step) for step in (49, 50, 55, 60, 70)] == [1, 1, 0.5, 0, 0]
    shorter = schedule.until(55).then((57, 0.0))
    assert [shorter.fraction(step) for step in (50, 55, 56, 57)] == [1, 0.5, 0.25, 0]
    early = rising(10).until(5).then((6, 0.0))
    assert early.fraction(5) == rising(10).fraction(5)


def test_points_survive_json():
    schedule = rising(10).until(50).then((60, 0.0))
    assert Schedule.from_points([list(point) for point in schedule.points]) == schedule
