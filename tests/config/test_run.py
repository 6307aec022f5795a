"""Settings of a run stay in their ranges, and are those of its parts."""

import pytest

from textgen.config import RunConfig, given_settings
from textgen.errors import ConfigError
from textgen.models.registry import profile_of


def test_values_outside_their_range_are_refused(assert_refused):
    rule = "must be an integer >= 1"
    assert_refused(RunConfig, "min_count", rule, [0, -1, 1.5, None, True])
    rule = "must be an integer in [259, 1048576]"
    assert_refused(RunConfig, "vocab_size", rule, [258, 2**20 + 1, 2_000_000_000, 300.0, True])


def test_the_end_of_a_range_belongs_to_it(assert_kept):
    assert_kept(RunConfig, {"min_count": 1})
    for vocab_size in (259, 2**20):
        assert_kept(RunConfig, {"tokenizer": "bpe", "vocab_size": vocab_size})


def test_an_unknown_setting_of_a_part_is_named():
    with pytest.raises(ConfigError, match="Unknown settings for TransformerConfig: width"):
        RunConfig.from_dict({"model": {"width": 3}})


def test_settings_go_to_the_parts_they_belong_to_and_come_back():
    settings = {"lowercase": True, "num_layers": 3, "learning_rate": 0.5, "min_count": 2}
    config = RunConfig.from_settings(settings)
    assert (config.corpus.lowercase, config.model.num_layers) == (True, 3)
    assert (config.training.learning_rate, config.min_count) == (0.5, 2)
    assert RunConfig.from_settings(config.to_settings()) == config
    assert RunConfig.from_settings({}) == RunConfig()


@pytest.mark.parametrize("name", ["width", "corpus", "model", "size"])
def test_an_unknown_setting_is_named(name):
    with pytest.raises(ConfigError, match=f"Unknown settings of a run: {name}"):
        RunConfig.from_settings({name: 3})


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        ({"accumulate": 3}, {"batch_size": 18}),
        ({"accumulate": 8}, {"batch_size": 16}),
        ({"num_heads": 3}, {"hidden_dim": 144, "num_layers": 4}),
        ({"hidden_dim": 130}, {"num_heads": 2}),
    ],
)
def test_settings_left_out_suit_those_given(given, fitting):
    settings = RunConfig.from_settings(given).to_settings()
    assert {name: settings[name] for name in fitting} == fitting


def test_a_size_stands_for_its_settings_and_those_given_win():
    given = given_settings({"architecture": "lstm", "size": "tiny", "num_layers": 3})
    tiny = profile_of("lstm").sizes["tiny"]
    assert given == {**tiny, "architecture": "lstm", "num_layers": 3}
    assert RunConfig.from_settings(given).model.hidden_dim == tiny["hidden_dim"]


def test_a_setting_of_the_other_architecture_is_refused():
    with pytest.raises(ConfigError, match="num_heads is for the transformer and the llama"):
        RunConfig.from_settings({"architecture": "lstm", "num_heads": 4})
    with pytest.raises(ConfigError, match="size must be one of tiny, small, base"):
        given_settings({"size": "huge"})
