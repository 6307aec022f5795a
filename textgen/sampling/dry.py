"""DRY, "don't repeat yourself": a penalty that grows with the length of a repeat."""

from __future__ import annotations

import tensorflow as tf

from textgen.sampling.history import longest_per_token, repeat_lengths
from textgen.sampling.registry import turned_on_by

_LOG_FLOAT_MAX = 88.7228391


@turned_on_by("dry_multiplier")
def penalize_dry(
    logits: tf.Tensor,
    history: tf.Tensor,
    dry_multiplier: tf.Tensor,
    dry_base: tf.Tensor,
    dry_allowed_length: tf.Tensor,
    breakers: tf.Tensor,
) -> tf.Tensor:
    """Penalize the tokens that would lengthen a repeat of earlier tokens.

    l_i - m x b ** (n_i - a) if n_i >= a. Here n_i is the length of the longest sequence that
    the history ends with and that token i has followed before. No sequence contains a
    breaker, and breakers themselves are not penalized. As in
    llama.cpp (`llama_sampler_dry_apply`, https://github.com/ggml-org/llama.cpp/pull/9702)
    after https://github.com/oobabooga/text-generation-webui/pull/5677.

    Args:
        logits: float32[B, V].
        history: int32[B, R], the newest tokens, the last on the right; -1 if there are fewer.
        dry_multiplier: float32[B], m >= 0; 0 changes nothing.
        dry_base: float32[B], b >= 1.
        dry_allowed_length: int32[B], a >= 0.
        breakers: bool[V], the tokens that end a sequence.
    """
    multiplier, base, allowed_length = dry_multiplier, dry_base, dry_allowed_length
    # The power must not overflow: a longer repeat costs no more than this exponent.
    log_base = tf.math.log(base)
    largest = tf.cast(_LOG_FLOAT_MAX / tf.maximum(log_base, 1e-6), tf.int32)
    ends = tf.gather(breakers, tf.maximum(history, 0))
    lengths = repeat_lengths(history, ends, allowed_length + largest)
    # If the allowed length is 0, every token counts that has another before it.
    before = tf.pad(history, [[0, 0], [1, 0]], constant_values=-1)[:, :-1]
    followers = tf.where(before >= 0, history, -1)
    longest = longest_per_token(followers, lengths, tf.shape(logits)[1])
    excess = tf.maximum(longest, 0) - allowed_length[:, None]
    power = base[:, None] ** tf.cast(tf.clip_by_value(excess, 0, largest[:, None]), tf.float32)
    applies = (longest >= allowed_length[:, None]) & (multiplier > 0)[:, None] & ~breakers
    return tf.where(applies, logits - multiplier[:, None] * power, logits)
