"""Shapes of models stay in their ranges; a size is a shape with a name."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import ModelConfig
from textgen.errors import ConfigError
from textgen.models.transformer.config import share_width

NAN, INF, HUGE = math.nan, math.inf, 10**400


@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        ("architecture", "must be one of llama, lstm, transformer", ["gru", "LSTM", None]),
        *(
            (name, "must be an integer >= 1", [0, -1, 2.0, "4", True])
            for name in ("num_layers", "num_heads", "hidden_dim", "context_length")
        ),
        *((name, "must be an integer >= 1", [None]) for name in ("num_layers", "context_length")),
        ("context_length", "must be at least 2", [1]),
        ("num_layers", "must be an integer in [1, 1024]", [1025, 100_000_000]),
        ("intermediate_dim", "must be an integer >= 1", [0, 2.5, "a"]),
        ("dropout", "must be in [0, 1)", [1, 1.0, -0.1, NAN, INF, HUGE, "0.1", None]),
    ],
)
def test_values_outside_their_range_are_refused(assert_refused, name, rule, values):
    assert_refused(ModelConfig, name, rule, values)


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "lstm", "hidden_dim": 7, "context_length": 2, "dropout": 0},
        {"num_heads": 3, "hidden_dim": 9, "num_layers": 1, "intermediate_dim": 1},
    ],
)
def test_the_ends_of_a_range_belong_to_it(assert_kept, settings):
    assert_kept(ModelConfig, settings)


def test_heads_must_share_the_width():
    with pytest.raises(ConfigError, match=r"multiple of num_heads.*hidden_dim=10, num_heads=4"):
        ModelConfig("transformer", hidden_dim=10, num_heads=4)
    assert ModelConfig("lstm", hidden_dim=10, num_heads=4).hidden_dim == 10


def test_positions_are_chosen_by_name():
    assert ModelConfig().positions == "relative"
    # Configs stored before there was a choice.
    assert ModelConfig.from_dict({"architecture": "transformer"}).positions == "relative"
    with pytest.raises(ConfigError, match="positions must be one of relative, learned"):
        ModelConfig(positions="absolute")
    with pytest.raises(ConfigError, match="multiple of 2 x num_heads if positions are rotary"):
        ModelConfig(num_heads=2, hidden_dim=6, positions="rotary")


def test_heads_or_a_width_left_out_suit_the_other():
    def shape(**given):
        config = ModelConfig(**given)
        return config.num_heads, config.hidden_dim

    assert shape() == (4, 128)
    assert shape(num_heads=3) == (3, 144)
    assert shape(num_heads=8) == (8, 128)
    assert shape(hidden_dim=130) == (2, 130)
    assert shape(hidden_dim=131) == (1, 131)
    assert shape(architecture="lstm", num_heads=3) == (3, 128)
    assert shape(architecture="lstm", hidden_dim=130) == (4, 130)


@given(st.integers(1, 1000), st.integers(1, 10_000), st.sampled_from(["num_heads", "hidden_dim"]))
def test_heads_share_the_width_whichever_of_them_is_fixed(num_heads, hidden_dim, fixed):
    before = {"num_heads": num_heads, "hidden_dim": hidden_dim}
    after = share_width(num_heads, hidden_dim, [fixed])
    assert after["hidden_dim"] % after["num_heads"] == 0
    assert after[fixed] == before[fixed]
    if hidden_dim % num_heads == 0:
        assert after == before


@pytest.mark.parametrize("architecture", ["transformer", "lstm"])
@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_a_size_can_be_overridden(architecture, size):
    plain = ModelConfig.of_size(architecture, size)
    assert plain.architecture == architecture
    changed = ModelConfig.of_size(architecture, size, num_layers=1, dropout=None)
    assert (changed.num_layers, changed.dropout) == (1, plain.dropout)
    assert changed.hidden_dim == plain.hidden_dim


def test_unknown_sizes_and_architectures_are_refused():
    with pytest.raises(ConfigError, match=r"size must be one of tiny, small, base\. .*'huge'"):
        ModelConfig.of_size("lstm", "huge")
    with pytest.raises(ConfigError, match="architecture must be one of llama, lstm, transformer"):
        ModelConfig.of_size("gru", "tiny")
