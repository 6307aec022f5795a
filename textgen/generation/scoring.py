"""How likely a text is to a model."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.outputs import ScoreOutput
from textgen.models.base import Decoder


def score(decoder: Decoder, token_ids: tf.Tensor, lengths: tf.Tensor) -> ScoreOutput:
    """Score texts as the decode loop would have generated them.

    Past the context length, each token is predicted from what the loop would have in its
    window: at least half a context, at most a whole one.

    Args:
        decoder: A snapshot of the model.
        token_ids: int32[B, 1 + T], a prefix token and the text, padded on the right.
        lengths: int32[B], tokens in each row, including the prefix token.
    """
    predict = _by_steps if decoder.max_positions is None else _by_windows
    logprobs = predict(decoder, token_ids, lengths)
    is_token = tf.sequence_mask(lengths - 1, tf.shape(token_ids)[1] - 1)
    logprobs = tf.where(is_token, logprobs, 0.0)
    return ScoreOutput(
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
    """Score one context at a time: window k begins k strides into the text.

    The first window predicts all of its tokens. A later one begins with half a context
    that is already predicted, and predicts the stride after it.
    """
    context = decoder.max_positions
    stride = context - context // 2 + 1
    batch_size, size = tf.unstack(tf.shape(token_ids))
    num_windows = 1 + tf.maximum(size - 1 - context + stride - 1, 0) // stride
    num_windows = tf.minimum(num_windows, size - 1)  # none if there is no token at all
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
    # Token t of the text is token t - k * stride of window k.
    t = tf.range(size - 1)
    k = tf.maximum(t - context + stride, 0) // stride
    positions = tf.stack([k, t - k * stride], axis=1)
    return tf.transpose(tf.gather_nd(tf.transpose(logprobs, [0, 2, 1]), positions))


def _logprobs(decoder, hidden, token_ids):
    """The log-probabilities of int32[N] tokens after float32[N, D]."""
    logprobs = tf.nn.log_softmax(decoder.logits(hidden))
    return tf.gather(logprobs, token_ids, batch_dims=1)
