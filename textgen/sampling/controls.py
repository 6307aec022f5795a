"""What controls the choice of a token, and which values make sense."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# Beyond a million of either sign no probability changes any more, and sums of such
# logits stay finite.
LARGE = 1e6


class SamplingControls(NamedTuple):
    """What controls the choice of a token, one value a row.

    The functions that take a control explain it; here are its range and, in brackets,
    the value that turns it off.

    Attributes:
        temperature: float32[B], 0 (greedy) or 1e-6 and more [1].
        top_k: int32[B], 0 and more [0].
        top_p: float32[B], 0 to 1 [1].
        min_p: float32[B], 0 to 1 [0].
        typical_p: float32[B], 0 to 1 [1].
        repetition_penalty: float32[B], 1e-6 to 1e6 [1].
        presence_penalty: float32[B], -1e6 to 1e6 [0].
        frequency_penalty: float32[B], -1e6 to 1e6 [0].
        repeat_last_n: int32[B], how many of the newest tokens count as history for the
            penalties, DRY and `no_repeat_ngram_size`; negative values take all there
            are [0].
        no_repeat_ngram_size: int32[B], 0 and more [0].
        dry_multiplier: float32[B], 0 to 1e6 [0].
        dry_base: float32[B], 1 and more; DRY is off where it is less.
        dry_allowed_length: int32[B], 0 to 1e6.
        xtc_probability: float32[B], 0 to 1 [0].
        xtc_threshold: float32[B], 0 to 0.5; XTC is off where it is more.
        mirostat_tau: float32[B], 0 to 128 [0].
        mirostat_eta: float32[B], 0 to 1.
        seed: int64[B].
    """

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    min_p: tf.Tensor
    typical_p: tf.Tensor
    repetition_penalty: tf.Tensor
    presence_penalty: tf.Tensor
    frequency_penalty: tf.Tensor
    repeat_last_n: tf.Tensor
    no_repeat_ngram_size: tf.Tensor
    dry_multiplier: tf.Tensor
    dry_base: tf.Tensor
    dry_allowed_length: tf.Tensor
    xtc_probability: tf.Tensor
    xtc_threshold: tf.Tensor
    mirostat_tau: tf.Tensor
    mirostat_eta: tf.Tensor
    seed: tf.Tensor

    def legal(self) -> SamplingControls:
        """Return the controls with every value outside its range replaced, row by row.

        The nearest legal value takes its place; the one that turns the control off
        where the value is NaN, or where no legal value is near. The host checks values
        beforehand (`SamplingConfig`); what comes past it must not raise, because inside
        a server's merged batch an error would fail the neighbours.
        """
        on = self.temperature > 0  # not where it is NaN
        temperature = tf.clip_by_value(self.temperature, 1e-6, tf.float32.max)
        penalized = self.repetition_penalty > 0
        repetition = tf.clip_by_value(self.repetition_penalty, 1 / LARGE, LARGE)
        return self._replace(
            temperature=tf.where(on, temperature, 0.0),
            top_k=tf.maximum(self.top_k, 0),
            top_p=between(self.top_p, 0, 1, off=1),
            min_p=between(self.min_p, 0, 1, off=0),
            typical_p=between(self.typical_p, 0, 1, off=1),
            repetition_penalty=tf.where(penalized, repetition, 1.0),
            presence_penalty=between(self.presence_penalty, -LARGE, LARGE, off=0),
            frequency_penalty=between(self.frequency_penalty, -LARGE, LARGE, off=0),
            no_repeat_ngram_size=tf.maximum(self.no_repeat_ngram_size, 0),
            dry_multiplier=tf.where(
                self.dry_base >= 1, between(self.dry_multiplier, 0, LARGE, off=0), 0.0
            ),
            dry_base=between(self.dry_base, 1, tf.float32.max, off=1),
            dry_allowed_length=tf.clip_by_value(self.dry_allowed_length, 0, int(LARGE)),
            xtc_probability=tf.where(
                self.xtc_threshold <= 0.5, between(self.xtc_probability, 0, 1, off=0), 0.0
            ),
            xtc_threshold=between(self.xtc_threshold, 0, 0.5, off=0.5),
            mirostat_tau=between(self.mirostat_tau, 0, 128, off=0),
            mirostat_eta=between(self.mirostat_eta, 0, 1, off=0),
        )


def between(value: tf.Tensor, low: float, high: float, off: float) -> tf.Tensor:
    """Clip to [low, high]; NaN, of which clipping makes anything, becomes `off`."""
    return tf.where(tf.math.is_nan(value), float(off), tf.clip_by_value(value, low, high))
