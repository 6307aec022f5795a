"""The draw: one uniform number per token, a pure function of (seed, index).

TensorFlow's stateless generators take one seed for a whole tensor. Here every row of a batch
has its own, so that a text draws the same numbers alone and in any batch: a counter-based
generator computes the number directly from the row's seed and the token's index
(Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.splitmix import GOLDEN_GAMMA, finalize

_STREAM = 0xD1342543DE82EF95  # odd, so that the streams of a seed all differ
_MASK = 2**64 - 1


def _constant(value: int) -> tf.Tensor:
    return tf.constant(np.uint64(value & _MASK))


def _mix(x: tf.Tensor) -> tf.Tensor:
    return finalize(x, _constant, tf.bitwise.right_shift, tf.bitwise.bitwise_xor)


def uniform(seed: tf.Tensor, index: tf.Tensor, stream: int = 0) -> tf.Tensor:
    """Return uniform numbers for tokens of a text.

    SplitMix64 with a state of mix(seed + stream x constant) + (index + 1) x golden ratio.

    Args:
        seed: int64, any shape.
        index: int64, the token's index in its text; broadcasts with `seed`.
        stream: Which of a seed's independent sequences. 0 draws the tokens; other uses take
            other streams.

    Returns:
        float32 in [0, 1), multiples of 2**-23.
    """
    state = _mix(tf.cast(seed, tf.uint64) + _constant(GOLDEN_GAMMA + stream * _STREAM))
    state += (tf.cast(index, tf.uint64) + _constant(1)) * _constant(GOLDEN_GAMMA)
    # 23 bits, one fewer than a float32 holds: a number times the sum of all
    # probabilities then stays below that sum, whichever way it is rounded.
    bits = tf.bitwise.right_shift(_mix(state), _constant(64 - 23))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-23


def draw(weights: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Draw a token by inverting the cumulative distribution of the weights.

    The token is the first i with w_0 + ... + w_i > u (w_0 + ... + w_V-1) (Devroye 1986,
    chapter III.2); a token with a weight of 0 is never drawn.

    Args:
        weights: float32[B, V], >= 0: probabilities, or any multiple of them. Not dividing by
            their sum saves time; each row's sum should be at least 1e-30.
        number: float32[B] in [0, 1), u in the formula.

    Returns:
        int32[B]; -1 if the row's weights are all 0, or one of them is NaN.
    """
    cumulative = tf.cumsum(weights, axis=1)
    total = cumulative[:, -1:]
    # The upper bound is the first entry that is larger than the target: V if none is,
    # which rounding cannot cause (see `uniform`), but 0 and NaN can.
    token = tf.raw_ops.UpperBound(
        sorted_inputs=cumulative, values=tf.expand_dims(number, 1) * total, out_type=tf.int32
    )
    token = tf.squeeze(token, 1)
    # A size that is known when tracing costs no operation per token.
    vocab_size = weights.shape[1] or tf.shape(weights)[1]
    return tf.where(token < vocab_size, token, -1)
