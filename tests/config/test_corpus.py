"""Ranges of the corpus settings."""

import math

import pytest

from textgen.config import CorpusConfig

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "rule", "values"),
    [
        ("normalize", "must be one of none, nfc, nfkc", ["NFC", "nfd", None, 1]),
        (
            "split_documents",
            "must be none, line, blank-line, file or one line of text",
            ["", " ", "a\nb", None],
        ),
        ("text_column", "must be a string, the name or number of a column", [1, b"text", ("a",)]),
        ("validation_split", "must be in [0, 1)", [1, -0.1, 1.5, NAN, INF, "0.1"]),
    ],
)
def test_values_out_of_range_are_refused(assert_refused, name, rule, values):
    assert_refused(CorpusConfig, name, rule, values)


@pytest.mark.parametrize(
    "settings",
    [
        {"validation_split": 0},
        {"validation_split": None},
        {"validation_split": 1e-9},
    ],
)
def test_the_ends_of_a_range_are_valid(assert_kept, settings):
    assert_kept(CorpusConfig, settings)
