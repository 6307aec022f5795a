"""Texts put together from pieces, wherever these are cut."""

import itertools
import random

import numpy as np
import pytest

from textgen.serving.http.choice import Choice
from textgen.serving.http.row import Piece

PIECES = [b"", b"", b"", *(bytes([byte]) for byte in range(256))]


def pieces_of(text, cuts, reason):
    """Cut a text into pieces, a token per byte."""
    content = text.encode()
    edges = [0, *sorted(cuts), len(content)]
    for index, (start, end) in enumerate(itertools.pairwise(edges)):
        part = content[start:end]
        is_last = index == len(cuts)
        yield Piece(
            part,
            np.array([byte + 3 for byte in part], np.int32),
            reason if is_last else "",
            np.zeros(len(part), np.float32),
            np.zeros((len(part), 0), np.int32),
            np.zeros((len(part), 0), np.float32),
        )


@pytest.mark.parametrize(
    ("text", "stop", "reason", "wanted"),
    [
        ("abc", [], "length", "abc"),
        ("one. two", [". two"], "stop", "one"),
        ("one. two", ["two", ". two"], "stop", "one"),
        ("one. tw", [". two"], "length", "one. tw"),
        ("aaab", ["aab"], "stop", "a"),
        ("a字。字", ["。字"], "stop", "a字"),
        ("", ["a"], "stop", ""),
        ("done", ["x"], "stop", "done"),
    ],
)
def test_the_stop_string_is_left_out(text, stop, reason, wanted):
    chance = random.Random(0)
    size = len(text.encode())
    for _ in range(20):
        choice = Choice(stop, PIECES)
        cuts = [chance.randint(0, size) for _ in range(chance.randint(0, 4))]
        parts = [choice.add(piece) for piece in pieces_of(text, cuts, reason)]
        assert "".join(part for part, _ in parts) == wanted
        tokens = [token for _, tokens in parts for token in tokens]
        assert len(tokens) == len(wanted.encode())


def test_what_cannot_begin_a_stop_string_is_not_held():
    choice = Choice(["xyz"], PIECES)
    released = [choice.add(piece)[0] for piece in pieces_of("abxyc", [2, 3, 4], "length")]
    assert released == ["ab", "", "", "xyc"]
