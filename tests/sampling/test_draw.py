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


def weights(probability):
    """What `draw` takes, of several sizes: only their ratios count."""
    return tf.constant(np.asarray(probability, np.float32) * 7)


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


def test_streams_of_a_seed_are_unrelated():
    seed, index = tf.range(20, dtype=tf.int64)[:, None], tf.range(500, dtype=tf.int64)[None]
    streams = [uniform(seed, index, stream).numpy().ravel() for stream in range(3)]
    assert (streams[0] == uniform(seed, index).numpy().ravel()).all()
    correlation = np.corrcoef(streams)
    assert abs(correlation - np.eye(3)).max() < 0.05
    counts, _ = np.histogram(streams[1], bins=50, range=(0, 1))
    assert abs(counts - 200).max() < 5 * np.sqrt(200)


def test_a_token_is_drawn_as_often_as_its_weight_says():
    probability = np.array([0.1, 0.0, 0.6, 0.3])
    numbers = (np.arange(10_000, dtype=np.float32) + 0.5) / 10_000
    drawn = draw(tf.tile(weights([probability]), [10_000, 1]), tf.constant(numbers))
    np.testing.assert_allclose(np.bincount(drawn, minlength=4), probability * 10_000, atol=2)


def test_random_numbers_draw_what_they_should():
    """Chi-square with 4 degrees of freedom: beyond 23.5 once in 10,000 times."""
    probability = np.array([0.05, 0.15, 0.2, 0.25, 0.35])
    count = 20_000
    number = uniform(tf.constant(7, tf.int64), tf.range(count, dtype=tf.int64))
    drawn = draw(tf.tile(weights([probability]), [count, 1]), number)
    expected = probability * count
    assert ((np.bincount(drawn, minlength=5) - expected) ** 2 / expected).sum() < 23.5


@given(
    st.lists(st.floats(-30, 0, width=32), min_size=1, max_size=40),
    st.one_of(st.sampled_from([0, 2**23 - 1]), st.integers(0, 2**23 - 1)),
    st.data(),
)
def test_a_removed_token_is_never_drawn(values, bits, data):
    removed = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=len(values) - 1))
    row = np.exp(np.array([values], np.float32))
    row[0, list(removed)] = 0
    token = int(draw(tf.constant(row), tf.constant([bits * 2.0**-23], tf.float32))[0])
    assert 0 <= token < len(values)
    assert token not in removed


def test_where_nothing_can_be_drawn_there_is_no_token():
    rows = tf.constant([[0.0, 1.0], [0.0, 0.0], [1.0, np.nan], [np.nan, 1.0]])
    assert draw(rows, tf.constant([0.5] * 4)).numpy().tolist() == [1, -1, -1, -1]
    assert draw(tf.zeros([0, 3]), tf.zeros([0])).shape == (0,)
