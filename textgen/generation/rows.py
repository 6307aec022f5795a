"""Rows of a batch: the largest value of all, and several rows for each text."""

from __future__ import annotations

import tensorflow as tf


def largest(values: tf.Tensor, least: int = 0) -> tf.Tensor:
    """Return the largest of int32[B] or `least`, which is all there is in an empty batch."""
    return tf.reduce_max(tf.concat([values, [least]], 0))


def repeat_rows(values: tf.Tensor, batch_size: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """Go from a row for each text to some that stand side by side.

    Args:
        values: [B, ...].
        batch_size: int32[], B.
        times: int32[], how often each row is wanted.

    Returns:
        [B x times, ...].
    """
    return tf.gather(values, tf.range(batch_size * times) // times)
