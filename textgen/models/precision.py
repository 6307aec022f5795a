"""Weights in fewer bits, and back.

Only matrices become smaller: they are nearly all of a model, and vectors are what rounding hurts
most. With int8, every row or every column has a scale, such that the largest number in it is 127
times the scale (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, without a zero point:
weights are as often negative as positive).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

PRECISIONS = ("int8", "bfloat16", "float16")
# How the scale of a matrix is called: after the matrix.
_SCALE = "/scale"


def narrow(
    weights: Iterable[tuple[str, np.ndarray]], precision: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a decoder's weights as they are stored: one matrix after the other.

    Args:
        weights: Names and float32 arrays.
        precision: One of `PRECISIONS`.

    Example:
        >>> kernel = np.array([[1.27, -0.5], [0.1, 0.02]], np.float32)
        >>> dict(narrow([("kernel", kernel)], "int8"))["kernel"]
        array([[127, -50],
               [127,  25]], dtype=int8)
    """
    for name, value in weights:
        if not _is_matrix(name, value):
            yield name, value
        elif precision == "int8":
            numbers, scale = _quantize(value)
            yield name, numbers
            yield name + _SCALE, scale
        else:
            yield name, value.astype(_dtype(precision))


def widen(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights that a model computes with, float32, from those that are stored."""
    weights = {}
    for name, value in stored.items():
        if not is_scale(name, stored):
            weights[name] = np.asarray(value, np.float32)
            if name + _SCALE in stored:
                weights[name] *= stored[name + _SCALE]
    return weights


def is_scale(name: str, stored: Mapping[str, Any]) -> bool:
    """Return whether a stored array is the scale of another."""
    return name.endswith(_SCALE) and name.removesuffix(_SCALE) in stored


def scale_of(name: str) -> str:
    """Return what the scale of a matrix is called."""
    return name + _SCALE


def _is_matrix(name: str, value: np.ndarray) -> bool:
    return value.ndim == 2 and (name.endswith("kernel") or "embedding" in name)


def _dtype(precision: str) -> Any:
    if precision == "float16":
        return np.float16
    # A dependency of TensorFlow, and the only one of NumPy's types that it defines itself.
    import ml_dtypes

    return ml_dtypes.bfloat16


def _quantize(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 numbers, and the scales of rows or of columns: whichever loses less."""
    best = None
    for axis in (0, 1):
        scale = np.abs(matrix).max(axis, keepdims=True) / 127
        # Of zeros only, any scale is right.
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        numbers = np.rint(matrix / scale).astype(np.int8)
        error = float(np.square(numbers * scale - matrix).sum())
        if best is None or error < best[0]:
            best = (error, numbers, scale)
    assert best is not None
    return best[1:]
