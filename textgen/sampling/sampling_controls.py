"""The controls that choose a token, as tensors with one value per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from textgen.config import SamplingConfig
from textgen.config.controls import Control, Number, Stage, controls_of

# The rows of the table that act on the logits or the draw.
ROWS = tuple(
    control
    for control in controls_of(SamplingConfig)
    if control.stage
    in (Stage.PENALTY, Stage.TEMPERATURE, Stage.TRUNCATION, Stage.MIROSTAT, Stage.DRAW)
)
# A named tuple, because `tf.nest` keeps its order: that of a signature's state.
_Tensors: Any = NamedTuple("_Tensors", [(control.name, tf.Tensor) for control in ROWS])  # type: ignore[misc]


class SamplingControls(_Tensors):
    """What controls the choice of a token: a field [B] for each of `ROWS`.

    `SamplingConfig` explains the fields; the functions of this package have the formulas.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> tf.Tensor: ...

    def clamped(self) -> SamplingControls:
        """Return the controls with values that are out of range replaced, row by row.

        Such a value becomes the nearest valid one. If it is NaN, or if no valid value is near, it
        becomes the value that turns the control off. The host checks values beforehand
        (`SamplingConfig`). A value that it did not see must not raise an error in the graph,
        because inside a server's merged batch that would fail the other requests.
        """
        values = {control.name: clamp(getattr(self, control.name), control) for control in ROWS}
        # A base or a threshold that cannot be used turns DRY or XTC off.
        dry, xtc = self.dry_base >= 1, self.xtc_threshold <= 0.5
        values["dry_multiplier"] = tf.where(dry, values["dry_multiplier"], 0.0)
        values["xtc_probability"] = tf.where(xtc, values["xtc_probability"], 0.0)
        return type(self)(**values)


def clamp(values: tf.Tensor, control: Control) -> tf.Tensor:
    """Replace values that are out of a control's range, as `SamplingControls.clamped` says.

    Args:
        values: int32[B] or float32[B].
        control: The row of the table that has the range.
    """
    if control.clamp is None:
        return values
    low, high = control.clamp
    if not isinstance(control, Number):
        return tf.clip_by_value(values, low, high)
    clamped = between(values, low, high, control.replacement)
    return tf.where(values > 0, clamped, control.replacement) if control.is_positive else clamped


def between(values: tf.Tensor, low: float, high: float, invalid: float) -> tf.Tensor:
    """Clip float32 to [low, high]; NaN, which clipping may turn into anything, to `invalid`."""
    clipped = tf.clip_by_value(values, low, high)
    return tf.where(tf.math.is_nan(values), invalid, clipped)
