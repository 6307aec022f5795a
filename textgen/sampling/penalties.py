"""Penalties: make what was said already less likely to be said again.

Pure functions from logits float32[B, V] to logits of the same shape, one parameter
value a row. History is int32[B, R], the newest tokens that count, the last one on the
right, and -1 wherever there is none (`history.newest`).
"""

from __future__ import annotations

import tensorflow as tf

from textgen.sampling.filters import REMOVED
from textgen.sampling.history import count_tokens, repeat_lengths


def penalize_repetition(logits: tf.Tensor, counts: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Divide the logits of tokens already said by the penalty.

    l_i / r where l_i is positive, l_i x r where it is negative, so that the token
    becomes less likely in either case (Keskar et al. 2019, https://arxiv.org/abs/1909.05858,
    as in Hugging Face's RepetitionPenaltyLogitsProcessor).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        penalty: float32[B], more than 0; 1 changes nothing, less than 1 encourages.
    """
    penalty = penalty[:, None]
    penalized = tf.where(logits > 0, logits / penalty, logits * penalty)
    return tf.where(counts > 0, penalized, logits)


def penalize_presence(logits: tf.Tensor, counts: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Subtract the penalty from the logits of tokens already said.

    l_i - a [c_i > 0], as in OpenAI's API
    (https://platform.openai.com/docs/api-reference/chat/create).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        penalty: float32[B]; 0 changes nothing, less than 0 encourages.
    """
    return logits - penalty[:, None] * tf.cast(counts > 0, tf.float32)


def penalize_frequency(logits: tf.Tensor, counts: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Subtract the penalty from a token's logit once for every time it was said.

    l_i - a c_i, as in OpenAI's API
    (https://platform.openai.com/docs/api-reference/chat/create).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        penalty: float32[B]; 0 changes nothing, less than 0 encourages.
    """
    return logits - penalty[:, None] * counts


def ban_repeated_ngrams(logits: tf.Tensor, history: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Remove the tokens that would complete an n-gram of the history once more.

    As Hugging Face's NoRepeatNGramLogitsProcessor (Paulus et al. 2018,
    https://arxiv.org/abs/1705.04304, section 2.5).

    Args:
        logits: float32[B, V].
        history: int32[B, R].
        size: int32[B], the n of the n-grams; 1 removes every token of the history, 0
            changes nothing.
    """
    prefix = tf.maximum(size - 1, 0)
    lengths = repeat_lengths(history, tf.zeros_like(history, tf.bool), prefix)
    completes = (size[:, None] > 0) & (lengths >= prefix[:, None])
    banned = count_tokens(tf.where(completes, history, -1), tf.shape(logits)[1]) > 0
    return tf.where(banned, REMOVED, logits)
