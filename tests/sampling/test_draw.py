"""The draw is a pure function of seed and index, uniform, and never picks the impossible."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from textgen.sampling import draw, uniform

MASK = 2**64 - 1


def reference(seed, index):
    """SplitMix64 in Python's own whole numbers."""

    def mix(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    golden = 0x9E3779B97F4A7C15
    return (mix((mix((seed + golden) & MASK) + (index + 1) * golden) & MASK) >> 41) / 2**23


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**40))
def test_numbers_are_those_of_splitmix64(seed, index):
    got = uniform(tf.constant(seed, tf.int64), tf.constant(index, tf.int64))
    assert float(got) == reference(seed, index)


def test_numbers_are_uniform_and_seeds_unrelated():
    numbers = uniform(tf.range(200, dtype=tf.int64)[:, None], tf.range(500, dtype=tf.int64)[None])
    counts, _ = np.histogram(numbers, bins=50, range=(0, 1))
    assert abs(counts - 2000).max() < 5 * np.sqrt(2000)
    correlation = np.corrcoef(numbers.numpy())
    assert abs(correlation - np.eye(200)).max() < 0.25


def test_a_token_is_drawn_as_often_as_its_probability_says():
    probability = np.array([0.1, 0.0, 0.6, 0.3])
    numbers = (np.arange(10_000, dtype=np.float32) + 0.5) / 10_000
    logits = tf.tile(tf.constant(np.log([probability + 1e-45]), tf.float32), [10_000, 1])
    logits = tf.where(tf.constant(probability == 0), float("-inf"), logits)
    counts = np.bincount(draw(logits, tf.constant(numbers)), minlength=4)
    np.testing.assert_allclose(counts, probability * 10_000, atol=2)


@given(
    st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=40),
    st.integers(0, 2**23 - 1),
    st.data(),
)
def test_a_removed_token_is_never_drawn(values, bits, data):
    removed = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=len(values) - 1))
    logits = np.array([values], np.float32)
    logits[0, list(removed)] = -np.inf
    token = int(draw(tf.constant(logits), tf.constant([bits * 2.0**-23], tf.float32))[0])
    assert token not in removed
