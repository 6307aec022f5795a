"""Settings of drawing stay in their ranges."""

import math

import pytest

from textgen.config import SamplingConfig
from textgen.errors import ConfigError

NAN, INF, HUGE = math.nan, math.inf, 10**400


@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        ("max_new_tokens", "must be an integer >= 1", [0, -1, 1.5, None]),
        ("max_new_tokens", "must be less than 2147483648", [2**31, HUGE]),
        ("min_new_tokens", "must be at most max_new_tokens", [201]),
        ("max_time", "must be a finite number > 0", [0, -1, NAN, INF]),
        ("temperature", "must be a finite number >= 0", [-0.1, NAN, INF, HUGE, "1", None]),
        ("top_k", "must be an integer >= 0", [-1, 2.5, "5", None]),
        ("top_k", "must be less than 2147483648", [2**31, HUGE]),
        ("top_p", "must be in (0, 1]", [0, 1.7, -0.5, NAN, INF, HUGE, "1", None]),
        ("typical_p", "must be in (0, 1]", [0, 1.7]),
        *(
            (name, "must be in [0, 1]", [-0.1, 1.01, NAN, "1", None])
            for name in ("min_p", "xtc_probability", "xtc_threshold")
        ),
        ("repetition_penalty", "must be a finite number > 0", [0, -1, NAN, INF]),
        ("presence_penalty", "must be a finite number", [NAN, INF, "1", None]),
        ("frequency_penalty", "must be a finite number", [-INF, HUGE]),
        ("repeat_last_n", "must be an integer >= -1", [-2, 0.5, None]),
        ("dry_base", "must be a finite number >= 1", [0.9, NAN]),
        ("seed", "must be an integer in [0, 2**63)", [-1, 2**63, 1.5, "1"]),
        ("stop", "must be a list of non-empty strings", [[""], ["a", 1], [b"a"]]),
        ("stop", "must be a list of non-empty strings", ["abc", None, 3]),
        ("stop", "must be Unicode text without lone surrogates", [["a", "\ud800"]]),
        ("avoid", "must be a list of non-empty strings", ["abc", [""]]),
        ("avoid_regex", "must be a list of regular expressions", ["abc", [""]]),
        ("ignore_case", "must be true or false", [1, None]),
        ("regex", "must be a regular expression", ["", 3]),
        (
            "json_schema",
            "must be a JSON schema, which is an object",
            ["", "{", "[]", '{"const": NaN}', 3, {"const": NAN}, {"const": {1}}],
        ),
        ("acrostic", "must be a non-empty string of Unicode text", ["", 3]),
        ("novel", "must be an integer in [10, 100]", [9, 101, "20", 2.5]),
        ("banned", "must be a list of non-empty strings", ["abc", None]),
        (
            "logit_bias",
            "must be pairs of non-empty strings and numbers",
            ["ab", 3, {"a": NAN}, {"": 1}, {"a": "1"}, {"\ud800": 1}],
        ),
        ("logprobs", "must be an integer >= 0", [-1, 0.5, "1"]),
    ],
)
def test_values_outside_their_range_are_refused(assert_refused, name, rule, values):
    assert_refused(SamplingConfig, name, rule, values)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("(", "missing ), unterminated subpattern at position 0"),
        ("a{2,1}", "min repeat greater than max repeat at position 2"),
        ("*", "nothing to repeat at position 0"),
        ("(" * 5000 + ")" * 5000, "it is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said(pattern, fault):
    for settings in ({"regex": pattern}, {"avoid_regex": ["a", pattern]}):
        (name,) = settings
        with pytest.raises(ConfigError) as caught:
            SamplingConfig(**settings)
        assert str(caught.value).startswith(f"{name} must be ")
        assert str(caught.value).endswith(f"({fault}). Received: {pattern!r}")


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0, "top_k": 0, "top_p": 1, "seed": 0, "max_new_tokens": 1},
        {"top_k": 2**31 - 1, "top_p": 1e-9, "seed": 2**63 - 1, "stop": ["字", "😀"]},
    ],
)
def test_the_ends_of_a_range_belong_to_it(assert_kept, settings):
    assert_kept(SamplingConfig, settings)


def test_the_message_is_the_rule_and_what_was_received():
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(top_p=1.7)
    assert str(caught.value) == "top_p must be in (0, 1]. Received: 1.7"
