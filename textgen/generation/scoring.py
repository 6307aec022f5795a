"""How likely a model finds a text."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.models.base import Decoder


class Scored(NamedTuple):
    """What a model thinks of texts; T is the number of tokens of the longest.

    Attributes:
        token_ids: int32[B, T]; -1 behind a row's end.
        logprobs: float32[B, T], natural logarithm of every token's probability after
            those before it; 0 behind a row's end.
        logprob: float32[B], their sum.
        num_tokens: int32[B].
    """

    token_ids: tf.Tensor
    logprobs: tf.Tensor
    logprob: tf.Tensor
    num_tokens: tf.Tensor


def score(decoder: Decoder, token_ids: tf.Tensor, lengths: tf.Tensor) -> Scored:
    """Score texts as the decode loop would have written them.

    Past the context length, each token is predicted from what the loop has in its window
    then: half a context at least, a whole one at most.

    Args:
        decoder: a snapshot of the model.
        token_ids: int32[B, 1 + T], a boundary token and the text, padded on the right.
        lengths: int32[B], tokens in each row, the boundary token included.
    """
    predict = _by_steps if decoder.max_positions is None else _by_windows
    logprobs = predict(decoder, token_ids, lengths)
    is_token = tf.sequence_mask(lengths - 1, tf.shape(token_ids)[1] - 1)
    logprobs = tf.where(is_token, logprobs, 0.0)
    return Scored(
        token_ids=tf.where(is_token, token_ids[:, 1:], -1),
        logprobs=logprobs,
        logprob=tf.reduce_sum(logprobs, axis=1),
        num_tokens=lengths - 1,
    )


def _by_steps(decoder, token_ids, lengths):
    """Score token by token, for a model whose state has no limit."""
    columns = tf.transpose(token_ids)  # (1 + T, B)
    size = tf.shape(columns)[0] - 1
    _, state = decoder.prefill(token_ids[:, :1], tf.zeros_like(lengths))

    def read(t, logprobs, state):
        hidden, state = decoder.step(columns[t], state, tf.fill(tf.shape(lengths), t))
        own = _logprobs(decoder, hidden, columns[t + 1])
        return (t + 1, tf.tensor_scatter_nd_update(logprobs, [[t]], own[None]), state)

    start = (tf.constant(0), tf.zeros([size, tf.shape(lengths)[0]]), state)
    _, logprobs, _ = tf.while_loop(lambda t, *_: t < size, read, start)
    return tf.transpose(logprobs)


def _by_windows(decoder, token_ids, lengths):
    """Score a context at a time: window k begins k strides into the text.

    The first window predicts all of its tokens. A later one begins with half a context
    that has been predicted before, and predicts the stride behind it.
    """
    context = decoder.max_positions
    stride = context - context // 2 + 1
    batch_size, size = tf.unstack(tf.shape(token_ids))
    num_windows = 1 + tf.maximum(size - 1 - context + stride - 1, 0) // stride
    num_windows = tf.minimum(num_windows, size - 1)  # none where there is no token at all
    padding = num_windows * stride + context - size + 1
    padded = tf.pad(token_ids, [[0, 0], [0, padding]])

    def read(k, logprobs):
        window = padded[:, k * stride : k * stride + context + 1]
        hidden, _ = decoder.prefill(window[:, :-1], tf.fill([batch_size], context))
        flat = tf.reshape(hidden, [-1, hidden.shape[-1]])
        own = _logprobs(decoder, flat, tf.reshape(window[:, 1:], [-1]))
        own = tf.reshape(own, [batch_size, context])
        return k + 1, tf.tensor_scatter_nd_update(logprobs, [[k]], own[None])

    start = (tf.constant(0), tf.zeros([num_windows, batch_size, context]))
    _, logprobs = tf.while_loop(lambda k, _: k < num_windows, read, start)
    # Token t of the text, counted from 0, is that many places behind its window's start.
    t = tf.range(size - 1)
    k = tf.maximum(t - context + stride, 0) // stride
    places = tf.stack([k, t - k * stride], axis=1)
    return tf.transpose(tf.gather_nd(tf.transpose(logprobs, [0, 2, 1]), places))


def _logprobs(decoder, hidden, token_ids):
    """Log-probability of int32[N] tokens after float32[N, D]."""
    logprobs = tf.nn.log_softmax(decoder.logits(hidden))
    return tf.gather(logprobs, token_ids, batch_dims=1)
