"""Rows of a batch: the largest value, and repeated rows."""

from __future__ import annotations

import tensorflow as tf


def largest(values: tf.Tensor, least: int = 0) -> tf.Tensor:
    """Return the largest of int32[B] and `least`, which stands for an empty batch."""
    return tf.reduce_max(tf.concat([values, [least]], 0))


def repeat_rows(values: tf.Tensor, batch_size: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """Return `times` copies of every row, next to each other.

    Args:
        values: [B, ...].
        batch_size: int32[], B.
        times: int32[].

    Returns:
        [B x times, ...].
    """
    return tf.gather(values, tf.range(batch_size * times) // times)
