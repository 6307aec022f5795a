"""Run a SavedModel with `tf.saved_model.load` if the C libraries cannot be loaded.

It has the interface of `session`, and is the only module of the runtime that imports tensorflow,
only if it is needed.
"""

from __future__ import annotations

import itertools
import logging
import os
from typing import Any

import numpy as np

from textgen.errors import GenerationError, ModelDamagedError, first_line
from textgen.runtime import dtypes
from textgen.runtime.directory import SERVING_TAG
from textgen.runtime.signatures import Signature
from textgen.runtime.tensors import Tensor

_log = logging.getLogger(__name__)


class EagerTensor(Tensor):
    """A tensor of the tensorflow package.

    Args:
        value: An eager tf.Tensor.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype; object for strings, void for types that NumPy does not have."""
        return dtypes.to_numpy(self.value.dtype.as_datatype_enum)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every dimension."""
        return tuple(self.value.shape.as_list())

    def numpy(self) -> np.ndarray:
        """Return the value as an array.

        Returns:
            Numbers as a read-only array; strings as a new object array of bytes.

        Raises:
            GenerationError: If NumPy has no such type.
        """
        if self.dtype == dtypes.OPAQUE:
            raise GenerationError(
                "A tensor of a type that NumPy does not have can only be passed on"
            )
        if self.dtype == dtypes.STRING:
            array = np.empty(self.shape, object)
            array[...] = self.value.numpy()
            return array
        # A copy, because a variable may own the memory.
        array = np.array(self.value.numpy())
        array.flags.writeable = False
        return array


class EagerSession:
    """A SavedModel loaded by the tensorflow package.

    Args:
        path: The SavedModel's folder.
        reason: Why the C libraries cannot be used, for the log.
        inter_op_threads: Maximum number of operations that run at the same time in the process.
        intra_op_threads: Maximum number of threads per operation.

    Raises:
        ModelDamagedError: If TensorFlow cannot load the SavedModel.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        reason: str,
        inter_op_threads: int,
        intra_op_threads: int,
    ) -> None:
        _log.info("Importing tensorflow, because its C libraries cannot be used: %s", reason)
        import tensorflow as tf

        self._tf = tf
        try:
            tf.config.threading.set_inter_op_parallelism_threads(inter_op_threads)
            tf.config.threading.set_intra_op_parallelism_threads(intra_op_threads)
        except RuntimeError:
            # TensorFlow has run something in this process before, and keeps its threads.
            pass
        try:
            with tf.device("CPU"):
                self._model = tf.saved_model.load(os.fspath(path), tags=[SERVING_TAG])
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            reason = first_line(error)
            raise ModelDamagedError(
                f"The SavedModel at {path} cannot be loaded: {reason}"
            ) from error

    def run(
        self, signature: Signature, inputs: dict[str, np.ndarray | Tensor]
    ) -> dict[str, Tensor]:
        """Run a signature once.

        Args:
            signature: One of the model's signatures.
            inputs: A value for every input, with the right dtype and shape.

        Returns:
            All outputs by name.

        Raises:
            GenerationError: If TensorFlow reports an error.
        """
        tf = self._tf
        try:
            with tf.device("CPU"):
                tensors = {
                    name: value.value
                    if isinstance(value, EagerTensor)
                    else tf.constant(
                        value.numpy() if isinstance(value, Tensor) else value,
                        dtypes.to_number(value.dtype),
                    )
                    for name, value in inputs.items()
                }
                outputs = self._model.signatures[signature.name](**tensors)
        except tf.errors.OpError as error:
            raise GenerationError(f"{signature.name} failed: {_reason(error.message)}") from error
        return {name: EagerTensor(outputs[name]) for name in signature.outputs}


def _reason(message: str) -> str:
    # The line that says what is wrong is followed by one that says where in the graph.
    lines = message.strip().splitlines()
    for line, following in itertools.pairwise(lines):
        if "[[{{node" in following:
            return line
    return lines[0]
