"""The history of a row: its newest tokens, how often each occurs, and what repeats.

Here history is int32[B, R]: the newest tokens of prompt and text, the last one on the
right, and -1 if there are fewer.
"""

from __future__ import annotations

import tensorflow as tf


def newest(history: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Return the history with -1 in place of all but its newest tokens.

    Args:
        history: int32[B, R].
        count: int32[B], number of tokens to keep; negative keeps all.
    """
    length = tf.shape(history)[1]
    age = tf.range(length - 1, -1, -1)  # 0 is the newest
    kept = tf.where(count < 0, length, count)
    return tf.where(age < kept[:, None], history, -1)


def count_tokens(history: tf.Tensor, vocab_size: tf.Tensor | int) -> tf.Tensor:
    """Return how often every token of the vocabulary occurs in the history.

    Args:
        history: int32[B, R].
        vocab_size: V.

    Returns:
        float32[B, V].
    """
    ones = tf.ones_like(history, tf.float32)
    return _per_token(tf.math.unsorted_segment_sum, ones, history, vocab_size)


def longest_per_token(history: tf.Tensor, lengths: tf.Tensor, vocab_size: tf.Tensor) -> tf.Tensor:
    """Return the largest length of each token of the vocabulary.

    Args:
        history: int32[B, R].
        lengths: int32[B, R], >= 0, one per token of the history.
        vocab_size: V.

    Returns:
        int32[B, V]; the smallest int32 for tokens that the history lacks.
    """
    return _per_token(tf.math.unsorted_segment_max, lengths, history, vocab_size)


def _per_token(reduction, values, history, vocab_size):
    batch_size = tf.shape(history)[0]
    row = tf.range(batch_size)[:, None] * vocab_size
    # Segment reductions skip negative segments.
    segments = tf.where(history >= 0, history + row, -1)
    return tf.reshape(
        reduction(values, segments, batch_size * vocab_size), [batch_size, vocab_size]
    )


def repeat_lengths(history: tf.Tensor, ends: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Return how many tokens before each position the newest tokens repeat.

    For position q this is the largest n for which tokens q - n to q - 1 are the newest
    n tokens. If the token at q came next, n + 1 tokens would be repeated:

        history  a b c c b c y a b c
        lengths  0 0 0 3 1 0 2 0 0 0

    It takes as many steps over all positions as the longest repeat has tokens.

    Args:
        history: int32[B, R].
        ends: bool[B, R], tokens that no repeat contains.
        limit: int32[B], >= 0, the largest length that each row counts to.

    Returns:
        int32[B, R].
    """
    length = tf.shape(history)[1]
    # Missing tokens equal nothing: they are -1 on one side, -2 on the other.
    pattern = tf.where(ends | (history < 0), -2, history)
    padded = tf.pad(history, [[0, 0], [length, 0]], constant_values=-1)
    steps = tf.minimum(tf.reduce_max(tf.concat([limit, [0]], 0)), length)

    def step(n, alive, lengths):
        last = length - 1 - n
        earlier = tf.slice(padded, [0, last], [-1, length])  # n + 1 before each position
        earlier.set_shape(history.shape)  # a loop keeps the shapes it began with
        alive &= tf.equal(earlier, pattern[:, last, None])
        return n + 1, alive, lengths + tf.cast(alive, tf.int32)

    _, _, lengths = tf.while_loop(
        lambda n, alive, _: (n < steps) & tf.reduce_any(alive),
        step,
        (tf.constant(0), tf.ones_like(history, tf.bool), tf.zeros_like(history)),
    )
    return tf.minimum(lengths, limit[:, None])
