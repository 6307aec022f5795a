"""Weights in fewer bits, and back.

Only matrices become smaller: they are nearly all of a model, and vectors are what rounding hurts
most. With int8, every row or every column has a scale, such that the largest number in it is 127
times the scale (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, without a zero point:
weights are as often negative as positive). With pruning, the smallest weights of each matrix
become zero (Han et al. 2015, https://arxiv.org/abs/1506.02626), and only the others are stored,
with one bit for every weight that says whether it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

PRECISIONS = ("int8", "bfloat16", "float16")
# The ends of names of arrays that belong to a matrix. Of a matrix whose zeros are left out, MASK
# has a bit for every weight, the first one in the highest bit, and SHAPE its shape.
SCALE, MASK, SHAPE = "/scale", "/mask", "/shape"


def narrow(
    weights: Iterable[tuple[str, np.ndarray]], precision: str | None, pruned: float = 0.0
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a decoder's weights as they are stored: one matrix after the other.

    Args:
        weights: Names and float32 arrays.
        precision: One of `PRECISIONS`, or `None` to leave float32.
        pruned: Fraction of the weights of each matrix that become zero.

    Example:
        >>> kernel = np.array([[1.27, -0.5], [0.1, 0.02]], np.float32)
        >>> dict(narrow([("kernel", kernel)], "int8"))["kernel"]
        array([[127, -50],
               [127,  25]], dtype=int8)
    """
    for name, value in weights:
        if not _is_matrix(name, value):
            yield name, value
            continue
        if pruned:
            value = _prune(value, pruned)
        if precision == "int8":
            value, scale = _quantize(value)
            yield name + SCALE, scale
        elif precision is not None:
            value = value.astype(_dtype(precision))
        kept = value != 0
        mask = np.packbits(kept)
        if pruned and np.count_nonzero(kept) * value.itemsize + mask.size < value.nbytes:
            yield name + MASK, mask
            yield name + SHAPE, np.array(value.shape, np.int32)
            value = value[kept]
        yield name, value


class WideWeights(Mapping[str, np.ndarray]):
    """The weights that a model computes with, float32, from those that are stored.

    Each is read when it is asked for: of a large model there must not be one copy more.

    Args:
        stored: The arrays that are stored, by name.

    Example:
        >>> stored = {"kernel": np.int8([[127, -50]]), "kernel/scale": np.float32([[0.01]])}
        >>> WideWeights(stored)["kernel"].round(2)
        array([[ 1.27, -0.5 ]], dtype=float32)
    """

    def __init__(self, stored: Mapping[str, np.ndarray]) -> None:
        self._stored = stored
        self._names = names_of_weights(stored)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a weight.

        Raises:
            ValueError: If the parts of a matrix don't fit together.
        """
        stored = self._stored
        value = np.asarray(stored[name], np.float32)
        if name + MASK in stored:
            full = np.zeros(stored[name + SHAPE], np.float32)
            kept = np.unpackbits(stored[name + MASK], count=full.size).astype(bool)
            full[kept.reshape(full.shape)] = value
            value = full
        return value * stored[name + SCALE] if name + SCALE in stored else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def names_of_weights(stored: Iterable[str]) -> list[str]:
    """Return the names of stored arrays that are weights, not parts of others."""
    names = set(stored)
    parts = {name + end for name in names for end in (SCALE, MASK, SHAPE)}
    return sorted(names - parts)


def _is_matrix(name: str, value: np.ndarray) -> bool:
    return value.ndim == 2 and (name.endswith("kernel") or "embedding" in name)


def _dtype(precision: str) -> Any:
    if precision == "float16":
        return np.float16
    # A dependency of TensorFlow, and the only one of NumPy's types that it defines itself.
    import ml_dtypes

    return ml_dtypes.bfloat16


def _prune(matrix: np.ndarray, fraction: float) -> np.ndarray:
    """Return a matrix whose smallest weights, this fraction of all, are zero."""
    count = round(fraction * matrix.size)
    pruned = matrix.copy()
    pruned.ravel()[np.argpartition(np.abs(matrix), count - 1, axis=None)[:count]] = 0
    return pruned


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
