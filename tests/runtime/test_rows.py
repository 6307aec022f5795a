"""Rows come off a batch, and go back into it."""

import numpy as np

from textgen.runtime.rows import put_rows, stack, take_rows


def test_stack_pads_with_what_counts_for_nothing():
    texts = stack([np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)])
    assert texts.tolist() == [[b"a", b"b"], [b"c", b""]]
    numbers = stack([np.ones((1, 2, 1), np.float32), np.ones((2, 1, 3), np.float32)])
    assert numbers.shape == (3, 2, 3)
    assert numbers.sum() == 2 + 6


def test_rows_that_grew_go_back_to_their_places():
    batch = {"cache": np.arange(6.0).reshape(3, 2), "text": np.array([b"a", b"b", b"c"], object)}
    part = take_rows(batch, [2, 0])
    assert part["text"].tolist() == [b"c", b"a"]
    longer = {"cache": np.pad(part["cache"], [(0, 0), (0, 1)]) + 10, "text": part["text"] + b"!"}
    put = put_rows(batch, [2, 0], longer)
    assert put["cache"].tolist() == [[10, 11, 10], [2, 3, 0], [14, 15, 10]]
    assert put["text"].tolist() == [b"a!", b"b", b"c!"]
    assert batch["text"].tolist() == [b"a", b"b", b"c"]


def test_rows_that_are_shorter_leave_nothing_of_the_old_ones():
    put = put_rows({"ids": np.ones((2, 3), int)}, [1], {"ids": np.array([[7]])})
    assert put["ids"].tolist() == [[1, 1, 1], [7, 0, 0]]
