"""Settings of training stay in their ranges."""

import math

import pytest

from textgen.config import TrainingConfig

NAN, INF, HUGE = math.nan, math.inf, 10**400


@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        *(
            (name, "must be a whole number from 1 up", [0, -5, 1.5, "10", True])
            for name in ("max_steps", "batch_size", "validate_every", "patience")
        ),
        *(
            (name, "must be greater than 0", [0, -1e-3, NAN, INF, HUGE, "1"])
            for name in ("learning_rate", "clip_norm")
        ),
        ("weight_decay", "must be at least 0", [-0.1, NAN, INF, HUGE, None]),
        ("warmup_steps", "must be a whole number from 0 up", [-1, 0.5, "1"]),
        ("optimizer", "must be one of auto, adamw, muon", ["adam", None]),
        ("strategy", "must be one of auto, none, mirrored, multi-worker", ["tpu", None]),
        ("seed", "must be a whole number in [0, 2147483648)", [-1, 2**31, 0.5, None]),
    ],
)
def test_values_outside_their_range_are_refused(assert_refused, name, rule, values):
    assert_refused(TrainingConfig, name, rule, values)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_steps": 1, "batch_size": 1, "warmup_steps": 0, "weight_decay": 0},
        {"seed": 2**31 - 1, "validate_every": 1, "patience": 1},
    ],
)
def test_the_ends_of_a_range_belong_to_it(assert_kept, settings):
    assert_kept(TrainingConfig, settings)
