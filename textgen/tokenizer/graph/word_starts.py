"""Where words start, as TensorFlow ops; see `textgen.tokenizer.words`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.runs import distance_from_last
from textgen.tokenizer.words import LETTER, MAX_CHARACTERS, OTHER, RANGES, SINGLE, SPACE


def word_starts(points: tf.RaggedTensor) -> tf.Tensor:
    """Return whether a word starts at each character.

    Args:
        points: Code points, int32[B, (T)].

    Returns:
        bool[C] for the C characters of all rows.
    """
    first_points, kinds = np.array(RANGES, np.int32).T
    ranges = tf.searchsorted(tf.constant(first_points), points.flat_values, side="right") - 1
    here = tf.gather(tf.constant(kinds), ranges)
    rows = points.value_rowids()
    same_row = tf.equal(rows[1:], rows[:-1])
    # Outside of a row counts as a digit, which joins nothing.
    edge = tf.fill([tf.minimum(tf.size(here), 1)], SINGLE)
    before = tf.concat([edge, tf.where(same_row, here[:-1], SINGLE)], 0)
    after = tf.concat([tf.where(same_row, here[1:], SINGLE), edge], 0)

    def runs(kind):
        return tf.equal(kind, LETTER) | tf.equal(kind, OTHER)

    after_space = tf.equal(before, SPACE)
    joins_run = runs(here) & (tf.equal(before, here) | after_space)
    joins_spaces = tf.equal(here, SPACE) & after_space & ~runs(after)
    return tf.equal(distance_from_last(~(joins_run | joins_spaces)) % MAX_CHARACTERS, 0)
