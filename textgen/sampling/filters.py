"""Filters: pure functions from logits to logits, one parameter value a row.

Every function takes logits float32[B, V] and a parameter [B], and returns logits of
the same shape in which the tokens it removes are -inf. Parameters are tensors, so
that changing one never retraces a graph, and rows of one batch may differ. They are
taken to be in their range, which `SamplingControls.legal` sees to.
"""

from __future__ import annotations

import tensorflow as tf

REMOVED = float("-inf")
_SMALLEST = 1.1754944e-38  # the smallest normal float32


def scale_temperature(logits: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Divide the logits by the temperature, the largest being moved to 0 before.

    (l_i - max l) / t (Ackley, Hinton and Sejnowski 1985). Moving all logits of a row
    changes no probability, and a temperature of 0 can mean its limit, greedy decoding:
    the likeliest tokens, of which there may be several, get 0, all others so little
    that their probability is 0.

    Args:
        logits: float32[B, V]; a row with NaN, or with nothing finite, gets NaN.
        temperature: float32[B], from 0 up; 1 changes no probability.
    """
    moved = logits - tf.reduce_max(logits, axis=1, keepdims=True)
    return moved / tf.expand_dims(tf.maximum(temperature, _SMALLEST), 1)


def keep_top_k(logits: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
    """Keep the k likeliest tokens (Fan et al. 2018, https://arxiv.org/abs/1805.04833).

    Tokens tied with the k-th are kept, as in Hugging Face's TopKLogitsWarper.

    Args:
        logits: float32[B, V].
        k: int32[B], from 0 up; 0, and anything from V up, keeps all.
    """
    vocab_size = tf.shape(logits)[1]
    ordered = tf.sort(logits, direction="DESCENDING")
    rank = tf.where((k > 0) & (k < vocab_size), k, vocab_size) - 1
    threshold = tf.gather(ordered, rank, batch_dims=1)
    return tf.where(logits < threshold[:, None], REMOVED, logits)


def keep_top_p(logits: tf.Tensor, p: tf.Tensor) -> tf.Tensor:
    """Keep the smallest set of likeliest tokens whose probability reaches p.

    Nucleus sampling (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751). The
    likeliest token is always kept; tokens tied with the last one kept are kept too.

    Args:
        logits: float32[B, V].
        p: float32[B], 0 to 1; 1 keeps all, 0 keeps the likeliest token.
    """
    ordered = tf.sort(logits, direction="DESCENDING")
    probability = tf.nn.softmax(ordered)
    before = tf.cumsum(probability, axis=1, exclusive=True)
    kept = tf.reduce_sum(tf.cast(before < p[:, None], tf.int32), axis=1)
    threshold = tf.gather(ordered, tf.maximum(kept, 1) - 1, batch_dims=1)
    # Where p is 1 nothing goes, however the cumulative sum was rounded.
    return tf.where((logits < threshold[:, None]) & (p < 1)[:, None], REMOVED, logits)


def keep_min_p(logits: tf.Tensor, p: tf.Tensor) -> tf.Tensor:
    """Keep the tokens at least p times as likely as the likeliest.

    p_i >= p max p, in logits l_i >= max l + log p (Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082).

    Args:
        logits: float32[B, V].
        p: float32[B], 0 to 1; 0 keeps all, 1 keeps the likeliest token.
    """
    threshold = tf.reduce_max(logits, axis=1) + tf.math.log(p)
    return tf.where(logits < threshold[:, None], REMOVED, logits)


def keep_typical_p(logits: tf.Tensor, p: tf.Tensor) -> tf.Tensor:
    """Keep the smallest set of the most typical tokens whose probability reaches p.

    The most typical token is the one whose surprise -log p_i is nearest to the
    distribution's entropy (Meister et al. 2022, https://arxiv.org/abs/2202.00666).
    The most typical token is always kept; tokens as typical as the last one kept are
    kept too, as in Hugging Face's TypicalLogitsWarper.

    Args:
        logits: float32[B, V].
        p: float32[B], 0 to 1; 1 keeps all, 0 keeps the most typical token.
    """
    log_probability = tf.nn.log_softmax(logits)
    probability = tf.exp(log_probability)
    # What is removed has a log probability of -inf, and 0 x -inf would be NaN.
    information = tf.math.multiply_no_nan(log_probability, probability)
    distance = tf.abs(log_probability - tf.reduce_sum(information, axis=1, keepdims=True))
    order = tf.argsort(distance)
    cumulative = tf.cumsum(tf.gather(probability, order, batch_dims=1), axis=1)
    reached = tf.reduce_sum(tf.cast(cumulative < p[:, None], tf.int32), axis=1)
    last = tf.gather(order, tf.minimum(reached, tf.shape(logits)[1] - 1), batch_dims=1)
    threshold = tf.gather(distance, last, batch_dims=1)
    # Where p is 1 nothing goes, however the cumulative sum was rounded.
    return tf.where((distance > threshold[:, None]) & (p < 1)[:, None], REMOVED, logits)


def exclude_top_choices(
    logits: tf.Tensor, probability: tf.Tensor, threshold: tf.Tensor, number: tf.Tensor
) -> tf.Tensor:
    """Now and then remove all tokens likely enough but the least likely of them.

    XTC: where u < `probability`, of all tokens with p_i >= `threshold` only the least
    likely stays (the one with the lowest id of several). As in llama.cpp
    (`llama_sample_xtc_apply`) after
    https://github.com/oobabooga/text-generation-webui/pull/6335.

    Args:
        logits: float32[B, V].
        probability: float32[B], 0 to 1; 0 changes nothing.
        threshold: float32[B], 0 to 1; above 0.5 there never are two such tokens.
        number: float32[B] in [0, 1), u in the formula, drawn for this token alone.
    """
    likely = (tf.nn.softmax(logits) >= threshold[:, None]) & (logits > REMOVED)
    least = tf.argmin(tf.where(likely, logits, float("inf")), axis=1, output_type=tf.int32)
    is_least = tf.equal(tf.range(tf.shape(logits)[1]), least[:, None])
    happens = (number < probability)[:, None]
    return tf.where(happens & likely & ~is_least, REMOVED, logits)
