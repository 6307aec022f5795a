"""Settings of a run stay in their ranges, and are those of its parts."""

import pytest

from textgen.config import RunConfig
from textgen.errors import ConfigError


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
