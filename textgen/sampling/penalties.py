"""Penalties: make what the text already says less likely to be said again.

Pure functions from logits float32[B, V] to logits of the same shape, with one parameter
value per row. History is int32[B, R], the newest tokens that count, the last one on the
right, and -1 if there are fewer (`history.newest`).
"""

from __future__ import annotations

import tensorflow as tf

from textgen.sampling.filters import REMOVED
from textgen.sampling.history import count_tokens, repeat_lengths
from textgen.sampling.registry import turned_on_by


@turned_on_by("repetition_penalty")
def penalize_repetition(
    logits: tf.Tensor, counts: tf.Tensor, repetition_penalty: tf.Tensor
) -> tf.Tensor:
    """Divide the logits of tokens in the history by the penalty.

    l_i / r if l_i is positive, l_i x r if it is negative, so that the token
    becomes less likely in either case (Keskar et al. 2019, https://arxiv.org/abs/1909.05858,
    as in Hugging Face's RepetitionPenaltyLogitsProcessor).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        repetition_penalty: float32[B], r > 0; 1 changes nothing, r < 1 encourages.
    """
    penalty = repetition_penalty[:, None]
    penalized = tf.where(logits > 0, logits / penalty, logits * penalty)
    return tf.where(counts > 0, penalized, logits)


@turned_on_by("presence_penalty")
def penalize_presence(
    logits: tf.Tensor, counts: tf.Tensor, presence_penalty: tf.Tensor
) -> tf.Tensor:
    """Subtract the penalty from the logits of tokens in the history.

    l_i - a [c_i > 0], as in OpenAI's API
    (https://platform.openai.com/docs/api-reference/chat/create).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        presence_penalty: float32[B], a; 0 changes nothing, a < 0 encourages.
    """
    return logits - presence_penalty[:, None] * tf.cast(counts > 0, tf.float32)


@turned_on_by("frequency_penalty")
def penalize_frequency(
    logits: tf.Tensor, counts: tf.Tensor, frequency_penalty: tf.Tensor
) -> tf.Tensor:
    """Subtract the penalty from a token's logit once per occurrence in the history.

    l_i - a c_i, as in OpenAI's API
    (https://platform.openai.com/docs/api-reference/chat/create).

    Args:
        logits: float32[B, V].
        counts: float32[B, V], from `count_tokens`.
        frequency_penalty: float32[B], a; 0 changes nothing, a < 0 encourages.
    """
    return logits - frequency_penalty[:, None] * counts


@turned_on_by("no_repeat_ngram_size")
def ban_repeated_ngrams(
    logits: tf.Tensor, history: tf.Tensor, no_repeat_ngram_size: tf.Tensor
) -> tf.Tensor:
    """Remove the tokens that would complete an n-gram that the history already has.

    As Hugging Face's NoRepeatNGramLogitsProcessor (Paulus et al. 2018,
    https://arxiv.org/abs/1705.04304, section 2.5).

    Args:
        logits: float32[B, V].
        history: int32[B, R].
        no_repeat_ngram_size: int32[B], n; 1 removes every token of the history, 0
            changes nothing.
    """
    size = no_repeat_ngram_size
    prefix = tf.maximum(size - 1, 0)
    lengths = repeat_lengths(history, tf.zeros_like(history, tf.bool), prefix)
    completes = (size[:, None] > 0) & (lengths >= prefix[:, None])
    banned = count_tokens(tf.where(completes, history, -1), tf.shape(logits)[1]) > 0
    return tf.where(banned, REMOVED, logits)
