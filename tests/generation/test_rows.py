"""Rows of a batch, which may have none."""

import pytest
import tensorflow as tf

from textgen.generation.rows import largest, repeat_rows


@pytest.mark.parametrize(("values", "wanted"), [([3, 7, 5], 7), ([-3], 1), ([], 1)])
def test_the_largest_value_is_no_less_than_the_least(values, wanted):
    assert largest(tf.constant(values, tf.int32), 1) == wanted


def test_rows_of_a_text_stand_side_by_side():
    rows = repeat_rows(tf.constant(["a", "b"]), tf.constant(2), tf.constant(3))
    assert rows.numpy().tolist() == [b"a"] * 3 + [b"b"] * 3
    none = repeat_rows(tf.zeros([0, 4]), tf.constant(0), tf.constant(3))
    assert none.shape == (0, 4)
