"""Attention's learned biases are those of the distances, and so are their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from textgen.models.transformer.model import biases_of_pairs


@pytest.mark.parametrize(("num_heads", "context", "length"), [(3, 9, 9), (2, 9, 5), (1, 4, 1)])
def test_biases_of_pairs_are_those_of_a_lookup(num_heads, context, length):
    generator = np.random.default_rng(0)
    biases = tf.constant(generator.normal(size=(num_heads, context)))
    upstream = np.tril(generator.normal(size=(num_heads, length, length)))
    positions = np.arange(length)
    distances = np.maximum(positions[:, None] - positions, 0)

    def with_gradient(compute):
        with tf.GradientTape() as tape:
            tape.watch(biases)
            pairs = compute()
            total = tf.reduce_sum(pairs * upstream)
        return np.tril(pairs), tape.gradient(total, biases)

    pairs, gradient = with_gradient(lambda: biases_of_pairs(biases, length))
    expected, looked_up = with_gradient(lambda: keras.ops.take(biases, distances, axis=1))
    np.testing.assert_array_equal(pairs, expected)
    np.testing.assert_allclose(gradient, tf.convert_to_tensor(looked_up), rtol=1e-9)


def test_keys_after_the_query_have_no_bias():
    pairs = biases_of_pairs(tf.ones((1, 4)), 4)
    np.testing.assert_array_equal(pairs[0], np.tril(np.ones((4, 4))))
