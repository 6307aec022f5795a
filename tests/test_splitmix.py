"""SplitMix64's finalizer: the published one, the same in both libraries."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from textgen.splitmix import GOLDEN_GAMMA, finalize

values = st.lists(st.integers(0, 2**64 - 1), max_size=5).map(lambda x: np.array(x, np.uint64))


def in_numpy(numbers):
    return finalize(numbers, np.uint64, np.right_shift, np.bitwise_xor)


def test_it_is_that_of_the_reference_implementation():
    # The first outputs of Vigna's splitmix64.c with the state 1234567.
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * np.uint64(GOLDEN_GAMMA)
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert in_numpy(states).tolist() == published


@given(values)
def test_tensorflow_computes_what_numpy_computes(numbers):
    def uint64(value):
        return tf.constant(np.uint64(value))

    mixed = finalize(tf.constant(numbers), uint64, tf.bitwise.right_shift, tf.bitwise.bitwise_xor)
    np.testing.assert_array_equal(mixed, in_numpy(numbers))
