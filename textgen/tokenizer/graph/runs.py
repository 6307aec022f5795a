"""Counts and distances along a vector, as TensorFlow ops."""

from __future__ import annotations

import tensorflow as tf


def running_count(marks: tf.Tensor) -> tf.Tensor:
    """Return how many of bool[N] are true up to and including each position, int32[N]."""
    return tf.cumsum(tf.cast(marks, tf.int32))


def distance_from_last(marks: tf.Tensor) -> tf.Tensor:
    """Return each position's distance from the last true one of bool[N], int32[N].

    The distance is 0 at a true position. Positions before the first true one count from -1.
    """
    positions = tf.concat([[-1], tf.cast(tf.where(marks)[:, 0], tf.int32)], 0)
    return tf.range(tf.size(marks)) - tf.gather(positions, running_count(marks))
