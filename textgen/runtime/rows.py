"""Rows of a batch: the first dimension of every input, output and state of a model.

A SavedModel keeps nothing between two calls of `decode`, so the states of texts may be put on top
of each other, and taken apart again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def as_array(value: Any) -> np.ndarray:
    """Return an array, or the array of a tensor."""
    return value if isinstance(value, np.ndarray) else value.numpy()


def take_rows(values: Mapping[str, Any], rows: Iterable[int]) -> Arrays:
    """Return only some rows of arrays or tensors."""
    return {name: as_array(value)[list(rows)] for name, value in values.items()}


def put_rows(values: Mapping[str, Any], rows: Iterable[int], new: Mapping[str, Any]) -> Arrays:
    """Return arrays or tensors with other contents in some rows, as large as both; see `stack`.

    Args:
        values: [B, ...] by name.
        rows: N row numbers.
        new: [N, ...] by the same names.
    """
    put = {}
    for name, value in values.items():
        old, part = as_array(value), as_array(new[name])
        put[name] = stack([old, part])[: len(old)]
        put[name][list(rows)] = stack([part, old[:0]])
    return put


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate along the first dimension, padding the others to the largest size.

    Padding is empty strings or zeros: the lists of texts ignore both, and the graph clears
    whatever part of a cache no token was written to.

    Args:
        parts: Arrays [B_i, ...] of one dtype and rank.
    """
    sizes = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    if all(part.shape[1:] == tuple(sizes) for part in parts):
        return np.concatenate(parts)
    stacked = np.zeros((sum(map(len, parts)), *sizes), parts[0].dtype)
    if stacked.dtype.kind == "O":
        stacked[...] = b""
    row = 0
    for part in parts:
        stacked[(slice(row, row + len(part)), *map(slice, part.shape[1:]))] = part
        row += len(part)
    return stacked
