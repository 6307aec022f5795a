"""Tensors: handles on values that TensorFlow holds, and their way from and to numpy."""

from __future__ import annotations

import abc
import ctypes
import math
from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.runtime import dtypes
from textgen.runtime.library import Library

# sizeof(TF_TString)
_STRING_SIZE = 24
_LARGE = 1


class Tensor(abc.ABC):
    """A value that a model gave, left where it is.

    It never changes, may be passed back to any model any number of times without a
    copy, and frees its memory when Python drops it. It outlives its model.
    """

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """The numpy dtype; object for strings, void for types that numpy does not have."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""

    @abc.abstractmethod
    def numpy(self) -> np.ndarray:
        """Return the value as an array.

        Returns:
            Numbers as a read-only array, a view into the tensor's memory where that is
            possible; strings as a new object array of bytes.

        Raises:
            GenerationError: numpy has no such type.
        """

    def __repr__(self) -> str:
        return f"Tensor(dtype={dtypes.name(self.dtype)}, shape={self.shape})"


class NativeTensor(Tensor):
    """A TF_Tensor of the C API.

    Args:
        library: the C API.
        pointer: the TF_Tensor*; it belongs to this object from now on.
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

        TensorFlow may hold on to an input's memory for longer than the call, as when an
        output or a variable shares it. To lend it numpy's memory would take a Python
        callback from any of its threads to learn when that ends; a copy that the C library
        frees costs less.

        Args:
            library: the C API.
            array: numbers, or an object array of bytes.

        Returns:
            The tensor.

        Raises:
            GenerationError: TensorFlow has no memory for it.
        """
        strings = array.dtype == dtypes.STRING
        values = array.ravel().tolist() if strings else []
        # Each string is followed by a zero byte, as the C++ class promises its readers.
        size = sum(map(len, values)) + (_STRING_SIZE + 1) * len(values) if strings else array.nbytes
        memory = library.allocate(size)
        if memory is None:
            raise GenerationError(f"An input must fit into memory. Received: {size} bytes")
        if strings:
            ctypes.memmove(memory, _pack_strings(values, memory), size)
        else:
            # Its address alone does not keep a copy alive.
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
        """The numpy dtype; object for strings, void for types that numpy does not have."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""
        return self._shape

    def numpy(self) -> np.ndarray:
        """Return the value as an array.

        Returns:
            Numbers as a read-only view into the tensor's memory (a variable of the model
            may share it); strings as a new object array of bytes.

        Raises:
            GenerationError: numpy has no such type.
        """
        if self._dtype == dtypes.OPAQUE:
            raise GenerationError(
                "A tensor of a type that numpy does not have can only be passed on"
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
        # Without the attribute, the constructor failed before it owned anything.
        pointer = getattr(self, "pointer", None)
        if pointer:
            self._library.TF_DeleteTensor(pointer)


class _View:
    """What numpy reads a tensor's memory through; keeps the tensor alive as the array's base."""

    def __init__(self, tensor: NativeTensor, address: int) -> None:
        self._tensor = tensor
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "data": (address, True),
            "shape": tensor.shape,
            "typestr": tensor.dtype.str,
        }


def _pack_strings(values: list[bytes], address: int) -> bytes:
    """Lay strings out as TF_TStrings followed by their characters, in one block of memory.

    A TF_TString of the large kind is a record of size (shifted left by the two bits that
    tell the kind), capacity and pointer. TensorFlow copies these deeply, and neither
    changes nor frees the elements of a tensor that has a deallocator of its own, so the
    characters may lie in the tensor's block: it is freed as a whole, whenever that is.

    Args:
        values: the strings.
        address: where the block is going to lie.

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
