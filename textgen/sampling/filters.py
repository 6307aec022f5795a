"""Filters: pure functions from logits to logits, with one parameter value per row.

Every function takes logits float32[B, V] and parameters [B], and returns logits of the same
shape in which the tokens it removes are -inf. Parameters are tensors, so that changing one
never retraces a graph, and rows of one batch may differ. They must be in their range, which
`SamplingControls.clamped` ensures.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.sampling.registry import turned_on_by

REMOVED = float("-inf")
_SMALLEST = 1.1754944e-38  # the smallest normal float32


def divisor_of(temperature: tf.Tensor) -> tf.Tensor:
    """Return what a temperature divides logits by, float32[B, 1], from float32[B], >= 0."""
    return tf.expand_dims(tf.maximum(temperature, _SMALLEST), 1)


def scale_temperature(logits: tf.Tensor, divisor: tf.Tensor) -> tf.Tensor:
    """Shift the largest logit of each row to 0, then divide by the temperature.

    (l_i - max l) / t (Ackley, Hinton and Sejnowski 1985). The shift changes no probability,
    and gives a temperature of 0 the meaning of its limit, greedy decoding: the most likely
    tokens, of which there may be several, get 0, and all others so little that their
    probability is 0.

    Args:
        logits: float32[B, V]; a row with NaN, or without a finite value, becomes NaN.
        divisor: float32[B, 1], from `divisor_of`; a temperature of 1 changes no probability.
    """
    return (logits - tf.reduce_max(logits, axis=1, keepdims=True)) / divisor


@turned_on_by("top_k")
def keep_top_k(logits: tf.Tensor, top_k: tf.Tensor) -> tf.Tensor:
    """Keep the k most likely tokens (Fan et al. 2018, https://arxiv.org/abs/1805.04833).

    Tokens tied with the k-th are kept, as in Hugging Face's TopKLogitsWarper.

    Args:
        logits: float32[B, V].
        top_k: int32[B], k >= 0; 0 and values >= V keep all.
    """
    vocab_size = tf.shape(logits)[1]
    ordered = tf.sort(logits, direction="DESCENDING")
    rank = tf.where((top_k > 0) & (top_k < vocab_size), top_k, vocab_size) - 1
    threshold = tf.gather(ordered, rank, batch_dims=1)
    return tf.where(logits < threshold[:, None], REMOVED, logits)


@turned_on_by("top_p")
def keep_top_p(logits: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Keep the smallest set of most likely tokens whose probability reaches p.

    Nucleus sampling (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751). The
    most likely token is always kept; tokens tied with the last one kept are kept too.

    Args:
        logits: float32[B, V].
        top_p: float32[B], p in [0, 1]; 1 keeps all, 0 keeps the most likely token.
    """
    ordered = tf.sort(logits, direction="DESCENDING")
    probability = tf.nn.softmax(ordered)
    before = tf.cumsum(probability, axis=1, exclusive=True)
    kept = tf.reduce_sum(tf.cast(before < top_p[:, None], tf.int32), axis=1)
    threshold = tf.gather(ordered, tf.maximum(kept, 1) - 1, batch_dims=1)
    # If p is 1, nothing is removed, however the cumulative sum was rounded.
    return tf.where((logits < threshold[:, None]) & (top_p < 1)[:, None], REMOVED, logits)


@turned_on_by("min_p")
def keep_min_p(logits: tf.Tensor, min_p: tf.Tensor) -> tf.Tensor:
    """Keep the tokens at least p times as likely as the most likely token.

    p_i >= p max p, in logits l_i >= max l + log p (Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082).

    Args:
        logits: float32[B, V].
        min_p: float32[B], p in [0, 1]; 0 keeps all, 1 keeps the most likely token.
    """
    threshold = tf.reduce_max(logits, axis=1) + tf.math.log(min_p)
    return tf.where(logits < threshold[:, None], REMOVED, logits)


@turned_on_by("typical_p")
def keep_typical_p(logits: tf.Tensor, typical_p: tf.Tensor) -> tf.Tensor:
    """Keep the smallest set of the most typical tokens whose probability reaches p.

    The most typical token is the one whose surprise -log p_i is closest to the
    distribution's entropy (Meister et al. 2022, https://arxiv.org/abs/2202.00666).
    The most typical token is always kept; tokens as typical as the last one kept are
    kept too, as in Hugging Face's TypicalLogitsWarper.

    Args:
        logits: float32[B, V].
        typical_p: float32[B], p in [0, 1]; 1 keeps all, 0 keeps the most typical token.
    """
    log_probability = tf.nn.log_softmax(logits)
    probability = tf.exp(log_probability)
    # Removed tokens have a log-probability of -inf, and 0 x -inf would be NaN.
    information = tf.math.multiply_no_nan(log_probability, probability)
    distance = tf.abs(log_probability - tf.reduce_sum(information, axis=1, keepdims=True))
    order = tf.argsort(distance)
    cumulative = tf.cumsum(tf.gather(probability, order, batch_dims=1), axis=1)
    reached = tf.reduce_sum(tf.cast(cumulative < typical_p[:, None], tf.int32), axis=1)
    last = tf.gather(order, tf.minimum(reached, tf.shape(logits)[1] - 1), batch_dims=1)
    threshold = tf.gather(distance, last, batch_dims=1)
    # If p is 1, nothing is removed, however the cumulative sum was rounded.
    return tf.where((distance > threshold[:, None]) & (typical_p < 1)[:, None], REMOVED, logits)


@turned_on_by("xtc_probability")
def exclude_top_choices(
    logits: tf.Tensor, xtc_probability: tf.Tensor, xtc_threshold: tf.Tensor, xtc_number: tf.Tensor
) -> tf.Tensor:
    """With some probability, remove all likely tokens but the least likely of them.

    XTC: if u < `xtc_probability`, of all tokens with p_i >= `xtc_threshold` only the least
    likely stays (the one with the lowest id of several). As in llama.cpp
    (`llama_sample_xtc_apply`) after
    https://github.com/oobabooga/text-generation-webui/pull/6335.

    Args:
        logits: float32[B, V].
        xtc_probability: float32[B] in [0, 1]; 0 changes nothing.
        xtc_threshold: float32[B] in [0, 1]; above 0.5 there never are two such tokens.
        xtc_number: float32[B] in [0, 1), u in the formula, drawn for this token alone.
    """
    likely = (tf.nn.softmax(logits) >= xtc_threshold[:, None]) & (logits > REMOVED)
    least = tf.argmin(tf.where(likely, logits, float("inf")), axis=1, output_type=tf.int32)
    is_least = tf.equal(tf.range(tf.shape(logits)[1]), least[:, None])
    happens = (xtc_number < xtc_probability)[:, None]
    return tf.where(happens & likely & ~is_least, REMOVED, logits)
