"""The draw: one uniform number a token, a pure function of (seed, index).

TensorFlow's stateless generators take one seed for a whole tensor. Here every row of
a batch has its own, so that a text is the same alone and in any batch: a counter-based
generator gives the number straight from the row's seed and the token's index
(Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def _constant(value: int) -> tf.Tensor:
    return tf.constant(np.uint64(value))


def _mix(x: tf.Tensor) -> tf.Tensor:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014), a bijection of uint64."""
    shift, xor = tf.bitwise.right_shift, tf.bitwise.bitwise_xor
    x = xor(x, shift(x, _constant(30))) * _constant(0xBF58476D1CE4E5B9)
    x = xor(x, shift(x, _constant(27))) * _constant(0x94D049BB133111EB)
    return xor(x, shift(x, _constant(31)))


def uniform(seed: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Return uniform numbers for tokens of a text.

    SplitMix64 with a state of mix(seed) + (index + 1) x golden ratio.

    Args:
        seed: int64, any shape.
        index: int64, the token's index in its text; broadcasts with `seed`.

    Returns:
        float32 in [0, 1), multiples of 2**-23.
    """
    state = _mix(tf.cast(seed, tf.uint64) + _constant(0x9E3779B97F4A7C15))
    state += (tf.cast(index, tf.uint64) + _constant(1)) * _constant(0x9E3779B97F4A7C15)
    # 23 bits, one fewer than a float32 holds: a number times the sum of all
    # probabilities then stays below that sum, whichever way it is rounded.
    bits = tf.bitwise.right_shift(_mix(state), _constant(64 - 23))
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * 2.0**-23


def draw(logits: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Draw a token from softmax(logits) by inverting its cumulative distribution.

    The token is the first i with p_0 + ... + p_i > u (Devroye 1986, chapter III.2);
    one whose probability is 0 can never be it.

    Args:
        logits: float32[B, V]; removed tokens are -inf.
        number: float32[B] in [0, 1), u in the formula.

    Returns:
        int32[B].
    """
    cumulative = tf.cumsum(tf.nn.softmax(logits), axis=1)
    target = number[:, None] * cumulative[:, -1:]
    return tf.argmax(tf.cast(cumulative > target, tf.int32), axis=1, output_type=tf.int32)
