"""Filters on distributions small enough to work out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.sampling import keep_top_k, keep_top_p, scale_temperature

PROBABILITIES = [0.1, 0.4, 0.2, 0.3]
LOGITS = tf.constant(np.log([PROBABILITIES]), tf.float32)


def kept(logits):
    return np.flatnonzero(np.isfinite(logits.numpy()[0])).tolist()


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [1]),
        (2, [1, 3]),
        (3, [1, 2, 3]),
        (4, [0, 1, 2, 3]),
        (0, [0, 1, 2, 3]),
        (9, [0, 1, 2, 3]),
    ],
)
def test_top_k_keeps_the_k_likeliest(k, expected):
    assert kept(keep_top_k(LOGITS, tf.constant([k]))) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.69, [1, 3]),
        (0.71, [1, 2, 3]),
        (0.95, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),
        (-1.0, [1]),
    ],
)
def test_top_p_keeps_the_smallest_set_that_reaches_p(p, expected):
    assert kept(keep_top_p(LOGITS, tf.constant([p], tf.float32))) == expected


def test_temperature_divides_and_zero_changes_nothing():
    logits = tf.constant([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    scaled = scale_temperature(logits, tf.constant([2.0, 0.5, 0.0]))
    np.testing.assert_allclose(scaled, [[0.5, 1], [2, 4], [1, 2]])


def test_every_row_has_its_own_parameter():
    logits = tf.tile(LOGITS, [2, 1])
    finite = np.isfinite(keep_top_k(logits, tf.constant([1, 3])).numpy())
    assert finite.sum(axis=1).tolist() == [1, 3]


@pytest.mark.parametrize("seed", range(5))
def test_top_p_and_top_k_agree_with_a_plain_numpy_rendering(seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (8, 50)).astype(np.float32)
    p = generator.uniform(0.05, 0.99, 8).astype(np.float32)
    k = generator.integers(1, 50, 8).astype(np.int32)
    got = np.isfinite(keep_top_p(keep_top_k(tf.constant(logits), k), p).numpy())
    for row in range(8):
        order = np.argsort(-logits[row])[: k[row]]
        probability = np.exp(logits[row][order].astype(np.float64))
        probability /= probability.sum()
        size = int(np.searchsorted(np.cumsum(probability), p[row])) + 1
        assert sorted(order[:size]) == np.flatnonzero(got[row]).tolist()
