"""Mirostat: keep a text's surprise near a target, by feedback from token to token.

Version 2 of Basu et al. 2021 (https://arxiv.org/abs/2007.14966), as in llama.cpp
(`llama_sampler_mirostat_v2_apply`). Surprise is -log2 of a probability, in bits.
"""

from __future__ import annotations

import math

import tensorflow as tf

from textgen.sampling.filters import REMOVED
from textgen.sampling.registry import turned_on_by


def initial_mu(tau: tf.Tensor) -> tf.Tensor:
    """Return the largest surprise allowed for the first token, 2 tau, float32[B]."""
    return 2 * tau


@turned_on_by("mirostat_tau")
def truncate(logits: tf.Tensor, mu: tf.Tensor) -> tf.Tensor:
    """Remove the tokens whose surprise is larger than mu, -log2 p_i > mu.

    The most likely token always stays (the one with the lowest id of several).

    Args:
        logits: float32[B, V].
        mu: float32[B]; infinity keeps all.
    """
    surprise = tf.nn.log_softmax(logits) / -math.log(2)
    best = tf.argmax(logits, axis=1, output_type=tf.int32)
    is_best = tf.equal(tf.range(tf.shape(logits)[1]), best[:, None])
    return tf.where((surprise > mu[:, None]) & ~is_best, REMOVED, logits)


def surprise_of(logits: tf.Tensor, token_ids: tf.Tensor) -> tf.Tensor:
    """Return the surprise of one token per row, float32[B], in bits.

    -log2 p_i, where p is the softmax of what `truncate` left.

    Args:
        logits: float32[B, V]; removed tokens are -inf.
        token_ids: int32[B]; -1 means no token, and a surprise of NaN.
    """
    log_probability = tf.nn.log_softmax(logits)
    chosen = tf.gather(log_probability, tf.maximum(token_ids, 0), batch_dims=1)
    return tf.where(token_ids >= 0, chosen / -math.log(2), float("nan"))


def update(mu: tf.Tensor, tau: tf.Tensor, eta: tf.Tensor, surprise: tf.Tensor) -> tf.Tensor:
    """Return the largest surprise allowed for the next token, mu - eta (s - tau).

    Args:
        mu: float32[B], for this token.
        tau: float32[B], the target surprise; if it is 0, mu stays.
        eta: float32[B], the learning rate, in [0, 1].
        surprise: float32[B], s, of this token; if it is not finite, mu stays.
    """
    moves = (tau > 0) & tf.math.is_finite(surprise)
    return tf.where(moves, mu - eta * (surprise - tau), mu)
