"""TensorFlow's element types as numpy's.

The numbers are those of `tensorflow/core/framework/types.proto`.
"""

from __future__ import annotations

import numpy as np

# Strings are Python objects to numpy: str or bytes going in, bytes coming out.
STRING = np.dtype(object)

_NUMPY: dict[int, np.dtype] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int8),
    7: STRING,
    8: np.dtype(np.complex64),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
    17: np.dtype(np.uint16),
    18: np.dtype(np.complex128),
    19: np.dtype(np.float16),
    22: np.dtype(np.uint32),
    23: np.dtype(np.uint64),
}
_NUMBERS = {dtype: number for number, dtype in _NUMPY.items()}

# bfloat16, resources, variants: numpy has no such type. Their tensors can be kept as
# handles and passed on, but not read.
OPAQUE = np.dtype(np.void)


def to_numpy(number: int) -> np.dtype:
    """Return the numpy dtype of a TensorFlow element type.

    Args:
        number: the value of the DataType enum.

    Returns:
        The dtype; object for strings, void where numpy has no such type.
    """
    return _NUMPY.get(number, OPAQUE)


def to_number(dtype: np.dtype) -> int:
    """Return TensorFlow's number of a numpy dtype that `to_numpy` gave.

    Args:
        dtype: any dtype but void.

    Returns:
        The value of the DataType enum.
    """
    return _NUMBERS[dtype]


def name(dtype: np.dtype) -> str:
    """Return how people call a dtype: "string" for object.

    Args:
        dtype: a dtype that `to_numpy` gave.

    Returns:
        Its name.
    """
    if dtype == OPAQUE:
        return "a type numpy does not have"
    return "string" if dtype == STRING else dtype.name
