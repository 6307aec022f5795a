"""The window: how much of a text the decoder's state holds, and room for what comes.

Letters in shapes: B rows, C context length, D hidden_dim.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.rows import largest
from textgen.models.base import Decoder, State

# The cache grows by so many tokens at a time.
BLOCK = 32


def make_room(
    decoder: Decoder, state: State, position: tf.Tensor, is_running: tf.Tensor, recent: tf.Tensor
) -> tuple[tf.Tensor, State, tf.Tensor]:
    """Give every running row room for one token more.

    A row whose context is full goes on from the newest half of it, read again. Rows fill
    up at different times: each takes the half that is its own.

    Args:
        decoder: a snapshot of the model.
        state: the decoder's.
        position: int32[B], tokens in the state.
        is_running: bool[B]; the others keep what they have.
        recent: int32[B, C], the newest tokens, the last of them the one there must be room
            for, which is not read; -1 where there are fewer.

    Returns:
        The new position and state; and float32[B, P, D], what the decoder gave for the
        tokens it read again. P is 0 where no row was full; rows that were not, which are
        those whose position has not become less, have any values there.
    """
    limit = decoder.max_positions
    nothing = tf.zeros([tf.shape(position)[0], 0, decoder.config.hidden_dim])
    if limit is None:
        return position, state, nothing
    half = limit // 2
    full = (position >= limit) & is_running

    def reread():
        token_ids = tf.maximum(recent[:, -half:], 0)
        lengths = tf.fill(tf.shape(full), half - 1)
        hidden, read = decoder.prefill(token_ids, lengths)
        new = decoder.reserve(read, lengths, limit)
        old = decoder.reserve(state, position, limit)
        kept = tuple(map(lambda n, o: tf.where(full[:, None, None, None], n, o), new, old))
        return tf.where(full, half - 1, position), kept, hidden[:, :-1]

    def keep():
        needed = tf.minimum((largest(position) // BLOCK + 1) * BLOCK, limit)
        return position, decoder.reserve(state, position, needed), nothing

    return tf.cond(tf.reduce_any(full), reread, keep)


def room(
    decoder: Decoder, state: State, position: tf.Tensor, is_running: tf.Tensor
) -> tf.Tensor | int:
    """Return how many tokens every running row can take before `make_room` is needed."""
    if decoder.max_positions is None:
        return BLOCK
    taken = tf.where(is_running, position, 0)
    return tf.shape(state[0])[2] - largest(taken)


def newest(values: tf.Tensor, lengths: tf.Tensor, count: int, blank: float) -> tf.Tensor:
    """Return the last `count` values of every row, on the right.

    Args:
        values: [B, P] or [B, P, D], padded on the right; P at least 1.
        lengths: int32[B], values in each row.
        count: how many to return.
        blank: stands on the left where there are fewer.

    Returns:
        [B, count] or [B, count, D].
    """
    columns = lengths[:, None] + tf.range(-count, 0)
    taken = tf.gather(values, tf.maximum(columns, 0), batch_dims=1)
    is_value = columns >= 0 if values.shape.rank == 2 else (columns >= 0)[:, :, None]
    return tf.where(is_value, taken, blank)


def any_size(tensor: tf.Tensor) -> tf.TensorShape:
    """Return the shape of a loop's tensor whose dimensions may change: caches grow."""
    return tf.TensorShape([None] * tensor.shape.rank)
