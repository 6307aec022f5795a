"""The contract of a checkpoint's tensors, whatever file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class Tensors(Protocol):
    """Tensors by name, each read when it is asked for.

    Attributes:
        shapes: The shape of every tensor, by name.
    """

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every tensor."""

    def read(self, name: str) -> np.ndarray:
        """Return a tensor.

        Raises:
            PublishedModelError: If the file is damaged, or the type of its numbers unknown.
        """


class ArrayTensors:
    """Tensors that are in memory already.

    Example:
        >>> ArrayTensors({"a": np.zeros((2, 3))}).shapes
        {'a': (2, 3)}
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return {name: tuple(array.shape) for name, array in self._arrays.items()}

    def read(self, name: str) -> np.ndarray:
        """Return a tensor."""
        return self._arrays[name]
