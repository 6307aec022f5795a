"""All filters in their one order, then the draw."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.sampling.draw import draw
from textgen.sampling.filters import keep_top_k, keep_top_p, scale_temperature


class SamplingControls(NamedTuple):
    """What controls the choice of a token, one value a row.

    Attributes:
        temperature: float32[B].
        top_k: int32[B].
        top_p: float32[B].
        seed: int64[B].
    """

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    seed: tf.Tensor


def sample(logits: tf.Tensor, controls: SamplingControls, number: tf.Tensor) -> tf.Tensor:
    """Choose a token a row: temperature, top_k, top_p, draw.

    The order is that of Hugging Face's `generate`.

    Args:
        logits: float32[B, V]; tokens that must not be chosen are -inf.
        controls: one value a row.
        number: float32[B] in [0, 1), the row's random number for this token.

    Returns:
        int32[B]; the likeliest token where the temperature is 0.
    """
    filtered = scale_temperature(logits, controls.temperature)
    # Both filters sort the vocabulary. Where no row asks for one it would change
    # nothing, so its cost is saved.
    filtered = tf.cond(
        tf.reduce_any(controls.top_k > 0),
        lambda: keep_top_k(filtered, controls.top_k),
        lambda: filtered,
    )
    filtered = tf.cond(
        tf.reduce_any(controls.top_p < 1),
        lambda: keep_top_p(filtered, controls.top_p),
        lambda: filtered,
    )
    greedy = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.where(controls.temperature > 0, draw(filtered, number), greedy)
