"""How likely texts and tokens are to a model."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.outputs import ScoreOutput, TokenScoreOutput
from textgen.generation.prefill import CHUNK
from textgen.models.base import Decoder

# The logits that are computed at a time, 128 MB of them.
_MAX_LOGITS = 2**25


def score(decoder: Decoder, token_ids: tf.Tensor, lengths: tf.Tensor) -> ScoreOutput:
    """Score texts as the decode loop would have generated them.

    Past the context length, each token is predicted from what the loop would have in its
    window: at least half a context, at most a whole one.

    Args:
        decoder: A snapshot of the model.
        token_ids: int32[B, 1 + T], a prefix token and the text, padded on the right.
        lengths: int32[B], tokens in each row, including the prefix token.
    """
    predict = _by_chunks if decoder.max_positions is None else _by_windows
    logprobs = predict(decoder, token_ids, lengths)
    is_token = tf.sequence_mask(lengths - 1, tf.shape(token_ids)[1] - 1)
    logprobs = tf.where(is_token, logprobs, 0.0)
    return ScoreOutput(
        token_ids=tf.where(is_token, token_ids[:, 1:], -1),
        logprobs=logprobs,
        logprob=tf.reduce_sum(logprobs, axis=1),
        num_tokens=lengths - 1,
    )


def score_tokens(decoder: Decoder, token_ids: tf.Tensor) -> TokenScoreOutput:
    """Score tokens in windows of the caller's choice, as training does.

    The caller decides from which tokens each one is predicted, and may include BOS and EOS, which
    no text contains. So a program can measure a model under any protocol.

    Args:
        decoder: A snapshot of the model.
        token_ids: int32[B, 1 + T]. The first token of a row is only predicted from. What is
            past the decoder's longest window is left out, and ids that do not exist are clamped.
    """
    longest = tf.int32.max if decoder.max_positions is None else decoder.max_positions + 1
    window = tf.clip_by_value(token_ids[:, :longest], 0, decoder.vocab_size - 1)
    # At least one token to predict, so that no shape of a request fails.
    window = tf.pad(window, [[0, 0], [0, tf.maximum(2 - tf.shape(window)[1], 0)]])
    rows, size = tf.unstack(tf.shape(window))
    hidden, _ = decoder.prefill(window[:, :-1], tf.fill([rows], size - 1))
    return TokenScoreOutput(*_logprobs(decoder, hidden, window[:, 1:]))


def _by_chunks(decoder, token_ids, lengths):
    """Score a chunk at a time, for a model whose state has no limit."""
    batch_size, size = tf.unstack(tf.shape(token_ids))
    num_chunks = tf.maximum(size - 2, 0) // CHUNK + 1
    padded = tf.pad(token_ids, [[0, 0], [0, num_chunks * CHUNK + 1 - size]])
    _, state = decoder.prefill(token_ids[:, :1], tf.zeros_like(lengths))

    def predict(k, logprobs, state):
        chunk = padded[:, k * CHUNK : (k + 1) * CHUNK + 1]
        hidden, state = decoder.prefill(chunk[:, :-1], tf.fill([batch_size], CHUNK), state)
        own, _ = _logprobs(decoder, hidden, chunk[:, 1:])
        return k + 1, logprobs.write(k, own), state

    # An array, because a tensor would be copied at every chunk.
    logprobs = tf.TensorArray(tf.float32, num_chunks, element_shape=[None, CHUNK])
    start = (tf.constant(0), logprobs, state)
    _, logprobs, _ = tf.while_loop(lambda k, *_: k < num_chunks, predict, start)
    logprobs = tf.transpose(logprobs.stack(), [1, 0, 2])
    return tf.reshape(logprobs, [batch_size, num_chunks * CHUNK])[:, : size - 1]


def _by_windows(decoder, token_ids, lengths):
    """Score one context at a time: window k begins k strides into the text.

    The first window predicts all of its tokens. A later one begins with half a context
    that is already predicted, and predicts the stride after it.
    """
    context = decoder.max_positions
    stride = context - context // 2 + 1
    batch_size, size = tf.unstack(tf.shape(token_ids))
    num_windows = 1 + tf.maximum(size - 1 - context + stride - 1, 0) // stride
    padding = num_windows * stride + context - size + 1
    padded = tf.pad(token_ids, [[0, 0], [0, padding]])
    # A short text is not padded to a whole context, which may be thousands of tokens.
    width = tf.clip_by_value(size - 1, 1, context)

    def predict(k, logprobs):
        window = padded[:, k * stride : k * stride + width + 1]
        hidden, _ = decoder.prefill(window[:, :-1], tf.fill([batch_size], width))
        own, _ = _logprobs(decoder, hidden, window[:, 1:])
        return k + 1, logprobs.write(k, own)

    logprobs = tf.TensorArray(tf.float32, num_windows, element_shape=[None, None])
    start = (tf.constant(0), logprobs)
    _, logprobs = tf.while_loop(lambda k, _: k < num_windows, predict, start)
    # Token t of the text is token t - k * stride of window k.
    t = tf.range(size - 1)
    k = tf.maximum(t - context + stride, 0) // stride
    positions = tf.stack([k, t - k * stride], axis=1)
    return tf.transpose(tf.gather_nd(tf.transpose(logprobs.stack(), [0, 2, 1]), positions))


def _logprobs(decoder, hidden, token_ids):
    """Return log-probabilities after float32[B, T, D]: of int32[B, T] tokens, and the highest.

    The logits of thousands of tokens may take gigabytes, so a part of them is computed at a time.
    """
    vectors = tf.reshape(hidden, [-1, decoder.config.hidden_dim])
    wanted = tf.reshape(token_ids, [-1])
    part = max(1, _MAX_LOGITS // decoder.vocab_size)

    def predict(start, own, best):
        logits = decoder.logits(vectors[start : start + part])
        total = tf.reduce_logsumexp(logits, axis=1)
        found = tf.gather(logits, wanted[start : start + part], batch_dims=1)
        own = tf.concat([own, found - total], 0)
        best = tf.concat([best, tf.reduce_max(logits, axis=1) - total], 0)
        return start + part, own, best

    flat = tf.TensorShape([None])
    _, own, best = tf.while_loop(
        lambda start, *_: start < tf.size(wanted),
        predict,
        (tf.constant(0), tf.zeros([0]), tf.zeros([0])),
        shape_invariants=(tf.TensorShape([]), flat, flat),
    )
    return tuple(tf.reshape(values, tf.shape(token_ids)) for values in (own, best))
