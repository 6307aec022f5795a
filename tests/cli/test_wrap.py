"""Wrapping a text at words while it arrives."""

import doctest

import pytest
import textgen.cli.wrap
from hypothesis import given
from hypothesis import strategies as st
from textgen.cli.wrap import WordWrapper


def wrap(chunks, width):
    wrapper = WordWrapper(width)
    return "".join([*map(wrapper.feed, chunks), wrapper.flush()])


@pytest.mark.parametrize(
    ("text", "width", "wrapped"),
    [
        ("one two three", 7, "one two\nthree"),
        ("one two", 7, "one two"),
        ("one  two  three", 9, "one  two\nthree"),
        ("one\n\ntwo", 4, "one\n\ntwo"),
        ("a\tb c", 9, "a\tb\nc"),
        ("incomprehensible", 6, "incomp\nrehens\nible"),
        ("明月光明月", 6, "明月光\n明月"),
        ("e\u0301e\u0301 e", 4, "e\u0301e\u0301 e"),
        ("  indented", 20, "  indented"),
    ],
)
def test_lines_break_between_words(text, width, wrapped):
    assert wrap([text], width) == wrapped
    assert wrap(text, width) == wrapped


@given(st.lists(st.text("ab 字\n\t\u0301", max_size=9)), st.integers(1, 12))
def test_only_white_space_changes_however_the_text_arrives(chunks, width):
    text = "".join(chunks)
    wrapped = wrap(chunks, width)
    assert wrapped == wrap([text], width)
    assert "".join(wrapped.split()) == "".join(text.split())


def test_the_example_runs():
    assert doctest.testmod(textgen.cli.wrap).failed == 0
