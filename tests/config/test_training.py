"""Settings of training stay in their ranges."""

import math

import pytest

from textgen.config import TrainingConfig
from textgen.errors import ConfigError

NAN, INF, HUGE = math.nan, math.inf, 10**400


@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        *(
            (name, "must be an integer >= 1", [0, -5, 1.5, "10", True])
            for name in ("max_steps", "batch_size", "validate_every", "patience")
        ),
        *(
            (name, "must be a finite number > 0", [0, -1e-3, NAN, INF, HUGE, "1"])
            for name in ("learning_rate", "clip_norm")
        ),
        ("accumulate", "must be an integer in [1, 65536]", [0, -1, 2.0, None, 2_000_000_000]),
        ("epochs", "must be a number in (0, 1000000]", [0, -1, NAN, INF, HUGE, 1e300, "1"]),
        ("adapter_rank", "must be an integer in [0, 1024]", [-1, 1025, 2_000_000_000, 0.5]),
        ("window_length", "must be an integer >= 2", [1, 10**40, 2.5]),
        ("freeze_layers", "must be an integer >= 0", [-1, None, 1.0]),
        ("weight_decay", "must be a finite number >= 0", [-0.1, NAN, INF, HUGE, None]),
        ("warmup_steps", "must be an integer in [0, 2147483648)", [-1, 0.5, "1", 10**40]),
        ("optimizer", "must be one of auto, adamw, muon, adam, sgd", ["adagrad", None]),
        ("strategy", "must be one of auto, none, mirrored, multi-worker", ["tpu", None]),
        ("seed", "must be an integer in [0, 2147483648)", [-1, 2**31, 0.5, None]),
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


def test_the_batch_is_a_multiple_of_its_parts():
    with pytest.raises(ConfigError, match=r"accumulate.*batch_size=16, accumulate=3"):
        TrainingConfig(batch_size=16, accumulate=3)
    sizes = [TrainingConfig(accumulate=parts).batch_size for parts in (1, 3, 8, 100)]
    assert sizes == [16, 18, 16, 100]
