"""Filters: pure functions from logits to logits, one parameter value a row.

Every function takes logits float32[B, V] and a parameter [B], and returns logits of
the same shape in which the tokens it removes are -inf. Parameters are tensors, so
that changing one never retraces a graph, and rows of one batch may differ. A value
outside its range is clamped in its own row: inside a server's merged batch an error
would fail the neighbours. The host checks values beforehand (`SamplingConfig`).
"""

from __future__ import annotations

import tensorflow as tf

REMOVED = float("-inf")


def scale_temperature(logits: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Divide the logits by the temperature.

    l_i / t (Ackley, Hinton and Sejnowski 1985). A temperature of 0 stands for the
    limit, greedy decoding, and leaves the logits as they are: `sample` then takes
    the likeliest token.

    Args:
        logits: float32[B, V].
        temperature: float32[B]; negative values and NaN count as 0. The divisor stays
            in [1e-6, 3.4e38]: beyond, quotients overflow, or become NaN as -inf / inf does.
    """
    divisor = tf.where(temperature > 0, tf.clip_by_value(temperature, 1e-6, tf.float32.max), 1.0)
    return logits / divisor[:, None]


def keep_top_k(logits: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
    """Keep the k likeliest tokens (Fan et al. 2018, https://arxiv.org/abs/1805.04833).

    Tokens tied with the k-th are kept, as in Hugging Face's TopKLogitsWarper.

    Args:
        logits: float32[B, V].
        k: int32[B]; 0, and anything from V up, keeps all.
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
        p: float32[B]; 1 and more keeps all, 0 and less keeps the likeliest token.
    """
    ordered = tf.sort(logits, direction="DESCENDING")
    probability = tf.nn.softmax(ordered)
    before = tf.cumsum(probability, axis=1, exclusive=True)
    kept = tf.reduce_sum(tf.cast(before < p[:, None], tf.int32), axis=1)
    threshold = tf.gather(ordered, tf.maximum(kept, 1) - 1, batch_dims=1)
    # Where p is 1 nothing goes, however the cumulative sum was rounded.
    return tf.where((logits < threshold[:, None]) & (p < 1)[:, None], REMOVED, logits)
