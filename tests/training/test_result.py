"""How a run ended, and whether that is worth an export."""

import math

import pytest

from textgen.errors import TrainingDivergedError
from textgen.training.result import TrainingResult


def result(loss):
    return TrainingResult(None, 10, 5, loss, "max_steps", True)


@pytest.mark.parametrize("loss", [0.0, 1.5, 2 * math.log(50)])
def test_a_model_that_has_learned_little_is_one(loss):
    result(loss).check_learned(50)


@pytest.mark.parametrize("loss", [11 * math.log(50), 1e3, 1e38, math.inf])
def test_a_model_far_worse_than_a_guess_has_diverged(loss):
    with pytest.raises(TrainingDivergedError, match=r"but a guess has only 3\.91"):
        result(loss).check_learned(50)
