"""Counts, distances and paths along a vector, as TensorFlow ops."""

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


def reached(starts: tf.Tensor, nexts: tf.Tensor) -> tf.Tensor:
    """Return which positions are reached from the starts, bool[N].

    Args:
        starts: bool[N].
        nexts: int32[N], where each position leads. None leads backwards.
    """

    def double(reached, nexts, _):
        # After k iterations `nexts` leads 2^k steps on.
        further = tf.math.unsorted_segment_max(tf.cast(reached, tf.int32), nexts, tf.size(nexts))
        more = reached | (further > 0)
        return more, tf.gather(nexts, nexts), tf.reduce_any(tf.not_equal(more, reached))

    flat = tf.TensorShape([None])
    return tf.while_loop(
        lambda _reached, _nexts, goes_on: goes_on,
        double,
        (starts, nexts, tf.constant(True)),
        shape_invariants=(flat, flat, tf.TensorShape([])),
    )[0]
