"""NumPy's dtypes for TensorFlow's element types.

The numbers are those of `tensorflow/core/framework/types.proto`.
"""

from __future__ import annotations

import numpy as np

# NumPy holds strings as Python objects: str or bytes as inputs, bytes as outputs.
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

# bfloat16, resources and variants: NumPy has no such types. Their tensors can be kept as handles
# and passed on, but not read.
OPAQUE = np.dtype(np.void)


def to_numpy(number: int) -> np.dtype:
    """Return the NumPy dtype of a TensorFlow element type.

    Args:
        number: The value of the DataType enum.

    Returns:
        The dtype; object for strings, void if NumPy has no such type.
    """
    return _NUMPY.get(number, OPAQUE)


def to_number(dtype: np.dtype) -> int:
    """Return the value of TensorFlow's DataType enum for a NumPy dtype.

    Args:
        dtype: A result of `to_numpy` other than void.
    """
    return _NUMBERS[dtype]


def name(dtype: np.dtype) -> str:
    """Return a dtype's name for messages: "string" for object.

    Args:
        dtype: A result of `to_numpy`.
    """
    if dtype == OPAQUE:
        return "a type that NumPy does not have"
    return "string" if dtype == STRING else dtype.name
