"""Settings of both searches stay in their ranges."""

import math

import pytest

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig

NAN, INF, HUGE = math.nan, math.inf, 10**400


@pytest.mark.parametrize("config", [BeamSearchConfig, ContrastiveSearchConfig])
@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        ("max_new_tokens", "must be an integer >= 1", [0, -1, 1.5, None]),
        ("stop", "must be a list of non-empty strings", [[""], ["a", 1]]),
        ("banned", "must be a list of non-empty strings", ["abc", None]),
    ],
)
def test_what_both_searches_refuse(assert_refused, config, name, rule, values):
    assert_refused(config, name, rule, values)


@pytest.mark.parametrize(
    ("config", "name", "rule", "values"),
    [
        (
            BeamSearchConfig,
            "num_beams",
            "must be an integer in [1, 64]",
            [0, 65, 2.0, None, True],
        ),
        (
            BeamSearchConfig,
            "length_penalty",
            "must be in [-5, 5]",
            [-5.1, 6, NAN, INF, HUGE, "1", None],
        ),
        (ContrastiveSearchConfig, "top_k", "must be an integer in [1, 64]", [0, 65, 2.0, None]),
        (
            ContrastiveSearchConfig,
            "penalty_alpha",
            "must be in [0, 1]",
            [-0.1, 1.1, NAN, "1", None],
        ),
    ],
)
def test_values_outside_their_range_are_refused(assert_refused, config, name, rule, values):
    assert_refused(config, name, rule, values)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (BeamSearchConfig, {"num_beams": 1, "length_penalty": -5, "max_new_tokens": 1}),
        (BeamSearchConfig, {"num_beams": 64, "length_penalty": 5, "stop": ["字", "😀"]}),
        (ContrastiveSearchConfig, {"top_k": 1, "penalty_alpha": 0, "banned": ["字"]}),
        (ContrastiveSearchConfig, {"top_k": 64, "penalty_alpha": 1}),
    ],
)
def test_the_ends_of_a_range_belong_to_it(assert_kept, config, settings):
    assert_kept(config, settings)


def test_the_order_of_the_fields_is_that_of_the_constructor():
    beams = BeamSearchConfig(9, 2, 0.5, ["a"], ["b"])
    assert list(beams.to_dict().values()) == [9, 2, 0.5, ("a",), ("b",)]
    contrast = ContrastiveSearchConfig(9, 0.5, 2, ["a"], ["b"])
    assert list(contrast.to_dict().values()) == [9, 0.5, 2, ("a",), ("b",)]
