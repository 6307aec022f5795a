"""The window: the part of a text that the decoder's state holds, and capacity for the next tokens.

Letters in shapes: B rows, C context length, D hidden_dim.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.rows import largest
from textgen.models.base import Decoder, State

# The capacity of a state grows by this many tokens at a time.
BLOCK = 32


def make_room(
    decoder: Decoder, state: State, position: tf.Tensor, is_running: tf.Tensor, recent: tf.Tensor
) -> tuple[tf.Tensor, State, tf.Tensor]:
    """Make room for one more token in every running row.

    A row whose context is full continues from the newest half of it, which is prefilled again.
    Rows fill up at different times, and each continues from its own half.

    Args:
        decoder: A snapshot of the model.
        state: The decoder's state.
        position: int32[B], tokens in the state.
        is_running: bool[B]; the other rows keep what they have.
        recent: int32[B, C], the newest tokens, -1 on the left if there are fewer. Room is made
            for the last of them, which is not processed here.

    Returns:
        The new position and state, and float32[B, P, D], the hidden vectors of the tokens that
        were prefilled again. P is 0 if no row was full. Rows that were not full, recognizable
        by a position that has not decreased, have arbitrary vectors there.
    """
    limit = decoder.max_positions
    nothing = tf.zeros([tf.shape(position)[0], 0, decoder.config.hidden_dim])
    if limit is None:
        return position, state, nothing
    half = limit // 2
    full = (position >= limit) & is_running

    def prefill_again():
        # Only the full rows: in a server's batch, rows fill up one by one.
        token_ids = tf.maximum(tf.boolean_mask(recent, full)[:, -half:], 0)
        lengths = tf.fill([tf.shape(token_ids)[0]], half - 1)
        hidden, read = decoder.prefill(token_ids, lengths)
        new = decoder.reserve(read, lengths, limit)
        old = decoder.reserve(state, position, limit)
        # The row of `new` that belongs to each full row; other rows are given any.
        source = tf.maximum(tf.cumsum(tf.cast(full, tf.int32)) - 1, 0)
        selected = decoder.select_rows(full, decoder.take_rows(new, source), old)
        return tf.where(full, half - 1, position), selected, tf.gather(hidden[:, :-1], source)

    def grow():
        needed = tf.minimum((largest(position) // BLOCK + 1) * BLOCK, limit)
        return position, decoder.reserve(state, position, needed), nothing

    return tf.cond(tf.reduce_any(full), prefill_again, grow)


def room(
    decoder: Decoder, state: State, position: tf.Tensor, is_running: tf.Tensor
) -> tf.Tensor | int:
    """Return how many tokens every running row can take before `make_room` is needed."""
    capacity = decoder.capacity(state)
    if capacity is None:
        return BLOCK
    return capacity - largest(tf.where(is_running, position, 0))


def newest(values: tf.Tensor, lengths: tf.Tensor, count: int, filler: float) -> tf.Tensor:
    """Return the last `count` values of every row, aligned to the right.

    Args:
        values: [B, P] or [B, P, D], padded on the right; P at least 1.
        lengths: int32[B], values in each row.
        count: How many values to return.
        filler: The value that stands on the left if there are fewer.

    Returns:
        [B, count] or [B, count, D].
    """
    columns = lengths[:, None] + tf.range(-count, 0)
    taken = tf.gather(values, tf.maximum(columns, 0), batch_dims=1)
    is_value = columns >= 0 if values.shape.rank == 2 else (columns >= 0)[:, :, None]
    return tf.where(is_value, taken, filler)


def any_size(tensor: tf.Tensor) -> tf.TensorShape:
    """Return the shape of a loop variable whose dimensions may change, as those of caches do."""
    return tf.TensorShape([None] * tensor.shape.rank)
