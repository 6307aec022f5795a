"""Large tables in a graph, of which one copy is enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

# A smaller table is copied to wherever it is used, because passing a tensor into a loop costs
# time in every iteration.
_MIN_SHARED_BYTES = 2**16


class GraphConstant:
    """A table for the ops of a graph.

    A published vocabulary has tables of up to megabytes, and a graph uses some of them in thirty
    places.

    Args:
        value: The table.
        dtype: Its type; must be given for strings.

    Example:
        >>> table = GraphConstant(np.arange(10))
        >>> tf.gather(table(), [3, 5]).numpy()
        array([3, 5])
    """

    def __init__(self, value: Any, dtype: tf.DType | None = None) -> None:
        self._value = np.asarray(value, None if dtype is None else dtype.as_numpy_dtype)
        self._is_shared = self._value.nbytes >= _MIN_SHARED_BYTES
        self._graph: tf.Graph | None = None
        self._tensor: tf.Tensor | None = None

    def __call__(self) -> tf.Tensor:
        """Return the table as a tensor of the current graph."""
        if not self._is_shared:
            return tf.constant(self._value)
        # Outside of all loops and functions.
        with tf.init_scope():
            graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
            if self._tensor is None or graph is not self._graph:
                self._graph, self._tensor = graph, tf.constant(self._value)
        return self._tensor
