"""Tensors: handles to values in TensorFlow's memory, converted from and to NumPy."""

from __future__ import annotations

import abc
import ctypes
import math
from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.runtime import dtypes
from textgen.runtime.library import Library

# sizeof(TF_TString), and its kind for long strings.
_STRING_SIZE = 24
_LARGE = 1


class Tensor(abc.ABC):
    """An output of a model, which stays in TensorFlow's memory.

    It never changes, and may be passed back to any model any number of times without a copy. Its
    memory is freed with the last Python reference, not with the model.
    """

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """The NumPy dtype; object for strings, void for types that NumPy does not have."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""

    @abc.abstractmethod
    def numpy(self) -> np.ndarray:
        """Return the value as an array.

        Returns:
            Numbers as a read-only array, a view of the tensor's memory if possible; strings as
            a new object array of bytes.

        Raises:
            GenerationError: If NumPy has no such type.
        """

    def __repr__(self) -> str:
        return f"Tensor(dtype={dtypes.name(self.dtype)}, shape={self.shape})"


class NativeTensor(Tensor):
    """A TF_Tensor of the C API.

    Args:
        library: The C API.
        pointer: The TF_Tensor*, which this object owns from now on.
    """

    def __init__(self, library: Library, pointer: int) -> None:
        self._library = library
        self.pointer = pointer
        self._dtype = dtypes.to_numpy(library.TF_TensorType(pointer))
        rank = library.TF_NumDims(pointer)
        self._shape = tuple(library.TF_Dim(pointer, index) for index in range(rank))

    @classmethod
    def from_numpy(cls, library: Library, array: np.ndarray) -> NativeTensor:
        """Copy an array into a new tensor.

        TensorFlow may keep an input's memory for longer than the call, for example if an output or
        a variable shares it. To share NumPy's memory, Python would need a callback from any of
        TensorFlow's threads. A copy that the C library frees costs less.

        Args:
            library: The C API.
            array: Numbers, or an object array of bytes.

        Raises:
            GenerationError: If there is not enough memory.
        """
        strings = array.dtype == dtypes.STRING
        values = array.ravel().tolist() if strings else []
        # A zero byte follows each string, as the C++ class promises.
        size = sum(map(len, values)) + (_STRING_SIZE + 1) * len(values) if strings else array.nbytes
        memory = library.allocate(size)
        if memory is None:
            raise GenerationError(f"An input must fit into memory. Received: {size} bytes")
        if strings:
            ctypes.memmove(memory, _pack_strings(values, memory), size)
        else:
            # A name for the copy keeps it alive; its address would not.
            contiguous = np.ascontiguousarray(array)
            ctypes.memmove(memory, contiguous.ctypes.data, size)
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        number = dtypes.to_number(array.dtype)
        pointer = library.TF_NewTensor(
            number, dims, array.ndim, memory, size, library.deallocator, None
        )
        return cls(library, pointer)

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype; object for strings, void for types that NumPy does not have."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""
        return self._shape

    def numpy(self) -> np.ndarray:
        """Return the value as an array.

        Returns:
            Numbers as a read-only view of the tensor's memory, which a variable of the model may
            share; strings as a new object array of bytes.

        Raises:
            GenerationError: If NumPy has no such type.
        """
        if self._dtype == dtypes.OPAQUE:
            raise GenerationError(
                "A tensor of a type that NumPy does not have can only be passed on"
            )
        if self._dtype == dtypes.STRING:
            return self._unpack_strings()
        if math.prod(self._shape) == 0:
            empty = np.empty(self._shape, self._dtype)
            empty.flags.writeable = False
            return empty
        return np.asarray(_View(self, self._library.TF_TensorData(self.pointer)))

    def _unpack_strings(self) -> np.ndarray:
        library, count = self._library, math.prod(self._shape)
        start = library.TF_TensorData(self.pointer)
        array = np.empty(count, object)
        for index in range(count):
            string = start + index * _STRING_SIZE
            size = library.TF_StringGetSize(string)
            array[index] = ctypes.string_at(library.TF_StringGetDataPointer(string), size)
        return array.reshape(self._shape)

    def __del__(self) -> None:
        # If the constructor failed, there may be no pointer.
        pointer = getattr(self, "pointer", None)
        if pointer:
            self._library.TF_DeleteTensor(pointer)


class _View:
    """Exposes a tensor's memory to NumPy; as the array's base, it keeps the tensor alive."""

    def __init__(self, tensor: NativeTensor, address: int) -> None:
        self._tensor = tensor
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "data": (address, True),
            "shape": tensor.shape,
            "typestr": tensor.dtype.str,
        }


def _pack_strings(values: list[bytes], address: int) -> bytes:
    """Pack strings as TF_TStrings followed by their characters, in one block of memory.

    A TF_TString of the large kind consists of size (shifted left by the two bits of its kind),
    capacity and pointer. TensorFlow copies them deeply, and neither changes nor frees the elements
    of a tensor with its own deallocator. So the characters can be in the tensor's block, which is
    freed as a whole.

    Args:
        values: The strings.
        address: The address of the block.

    Returns:
        The bytes of the block.
    """
    sizes = np.fromiter(map(len, values), np.uint64, len(values))
    ends = np.cumsum(sizes + np.uint64(1))
    records = np.empty((len(values), 3), np.uint64)
    records[:, 0] = sizes << np.uint64(2) | np.uint64(_LARGE)
    records[:, 1] = sizes
    records[:, 2] = ends - sizes - np.uint64(1) + np.uint64(address + _STRING_SIZE * len(values))
    return records.tobytes() + b"\0".join(values) + b"\0"
