"""Prefilling a prompt of any length, in bounded memory and time.

Letters in shapes: B rows, P tokens, D hidden_dim.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.window import newest
from textgen.models.base import Decoder, State

# A decoder without a limit processes this many tokens at a time.
CHUNK = 64


def prefill(
    decoder: Decoder,
    token_ids: tf.Tensor,
    lengths: tf.Tensor,
    deadline: tf.Tensor,
    num_hidden: int = 0,
) -> tuple[tf.Tensor, State]:
    """Process the beginnings of texts.

    A row that is late skips to its last chunk, so that the newest tokens of its prompt count
    in any case.

    Args:
        decoder: A snapshot of the model.
        token_ids: int32[B, P], padded on the right; P at least 1, and at most the decoder's
            `max_positions`.
        lengths: int32[B], tokens of each row to process; may be 0.
        deadline: float64[B], the time at which a row is late, in seconds since 1970; checked
            after every chunk.
        num_hidden: The number of hidden vectors to return.

    Returns:
        float32[B, num_hidden, D], the hidden vectors of the last tokens, the newest on the right
        and zeros on the left if there are fewer, and the decoder's state.
    """
    if decoder.max_positions is not None:
        hidden, state = decoder.prefill(token_ids, lengths)
        return newest(hidden, lengths, num_hidden, 0.0), state
    batch_size, size = tf.unstack(tf.shape(token_ids))

    def process_chunk(start, hidden, state):
        columns = start[:, None] + tf.range(tf.minimum(CHUNK, size))
        chunk = tf.gather(token_ids, tf.minimum(columns, size - 1), batch_dims=1)
        num_tokens = tf.clip_by_value(lengths - start, 0, tf.shape(chunk)[1])
        added, state = decoder.prefill(chunk, num_tokens, state)
        kept = tf.concat([hidden, added], 1)
        hidden = newest(kept, num_hidden + num_tokens, num_hidden, 0.0)
        is_late = deadline <= tf.timestamp()
        start += CHUNK
        return tf.where(is_late, tf.maximum(start, lengths - CHUNK), start), hidden, state

    nothing = tf.zeros_like(lengths)
    _, state = decoder.prefill(token_ids[:, :1], nothing)
    hidden = tf.zeros([batch_size, num_hidden, decoder.config.hidden_dim])
    _, hidden, state = tf.while_loop(
        lambda start, *_: tf.reduce_any(start < lengths),
        process_chunk,
        (nothing, hidden, state),
        shape_invariants=tf.nest.map_structure(
            lambda tensor: tf.TensorShape([None, *tensor.shape[1:]]), (nothing, hidden, state)
        ),
    )
    return hidden, state
