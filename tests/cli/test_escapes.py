"""Escapes mean the same in every text on the command line."""

import pytest
from textgen.cli.escapes import unescape


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (r"a\nb", "a\nb"),
        (r"\t", "\t"),
        (r"\\n", r"\n"),
        (r"\\\n", "\\\n"),
        (r"\d \\", "\\d \\"),
        ("\\", "\\"),
        ("é字", "é字"),
        ("", ""),
    ],
)
def test_escapes_are_replaced(given, meant):
    assert unescape(given) == meant
