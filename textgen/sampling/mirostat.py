"""Mirostat: keep the surprise of a text near a target, by feedback from token to token.

Version 2 of Basu et al. 2021 (https://arxiv.org/abs/2007.14966), as in llama.cpp
(`llama_sampler_mirostat_v2_apply`). Surprise is -log2 of a probability, in bits.
"""

from __future__ import annotations

import math

import tensorflow as tf

from textgen.sampling.filters import REMOVED


def initial_mu(tau: tf.Tensor) -> tf.Tensor:
    """Return the largest surprise allowed for the first token, 2 tau, float32[B]."""
    return 2 * tau


def truncate(logits: tf.Tensor, mu: tf.Tensor) -> tf.Tensor:
    """Remove the tokens whose surprise is larger than mu.

    Those with -log2 p_i > mu. The likeliest token always stays (the one with the
    lowest id of several).

    Args:
        logits: float32[B, V].
        mu: float32[B]; infinity keeps all.
    """
    surprise = tf.nn.log_softmax(logits) / -math.log(2)
    likeliest = tf.argmax(logits, axis=1, output_type=tf.int32)
    is_likeliest = tf.equal(tf.range(tf.shape(logits)[1]), likeliest[:, None])
    return tf.where((surprise > mu[:, None]) & ~is_likeliest, REMOVED, logits)


def surprise_of(logits: tf.Tensor, token_ids: tf.Tensor) -> tf.Tensor:
    """Return the surprise of one token a row, float32[B], in bits.

    -log2 p_i, p being the softmax of what is left after `truncate`.

    Args:
        logits: float32[B, V]; removed tokens are -inf.
        token_ids: int32[B]; -1 where there is no token, whose surprise is NaN.
    """
    log_probability = tf.nn.log_softmax(logits)
    chosen = tf.gather(log_probability, tf.maximum(token_ids, 0), batch_dims=1)
    return tf.where(token_ids >= 0, chosen / -math.log(2), float("nan"))


def update(mu: tf.Tensor, tau: tf.Tensor, eta: tf.Tensor, surprise: tf.Tensor) -> tf.Tensor:
    """Return the largest surprise allowed for the next token.

    mu - eta (s - tau).

    Args:
        mu: float32[B], for this token.
        tau: float32[B], the target surprise; where it is 0 mu stays.
        eta: float32[B], the learning rate, 0 to 1.
        surprise: float32[B], s, of this token; where it is not finite mu stays.
    """
    moves = (tau > 0) & tf.math.is_finite(surprise)
    return tf.where(moves, mu - eta * (surprise - tau), mu)
