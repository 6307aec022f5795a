"""An exported model: run its signatures with arrays."""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np

from textgen.errors import ConfigError, GenerationError
from textgen.runtime import library
from textgen.runtime.binding import bind_inputs
from textgen.runtime.directory import Contents, read_directory
from textgen.runtime.session import Session
from textgen.runtime.signatures import Signature
from textgen.runtime.tensors import Tensor

_MAX_THREADS = 127


class _Backend(Protocol):
    """What runs the graph: the C API, or the tensorflow package."""

    def run(
        self, signature: Signature, inputs: dict[str, np.ndarray | Tensor]
    ) -> dict[str, Tensor]: ...


class SavedModel:
    """A SavedModel, loaded and ready to run on the CPU, without importing tensorflow.

    Several threads may call `run` and `run_tensors` at the same time. Ctrl-C during a call raises
    KeyboardInterrupt when TensorFlow has finished it; the model stays usable.

    Args:
        path: The folder that contains `saved_model.pb`.
        inter_op_threads: Maximum number of operations that run at the same time per call. With 1,
            the calling thread does the work, which is fastest for small models.
        intra_op_threads: Maximum number of threads per operation. They belong to this model,
            unless tensorflow has run something in this process before: then its number holds.
        uses_onednn: Whether oneDNN's kernels may run. They are fast for large batches, and slow
            for one decoded token. Defaults to true with several `intra_op_threads`. Only the
            first model in the process decides.

    Attributes:
        path: The folder, as it was given.
        intra_op_threads: Threads per operation, as they were given.
        signatures: The signatures by name.

    Raises:
        ModelDamagedError: If the folder is no SavedModel, or cannot be loaded.
        ConfigError: If a number of threads is not in 1 to 127.

    Example:
        >>> with SavedModel("saved_models/shakespeare/1") as model:
        ...     model.run("serving_default", prompts=["Once upon a time"])["text"]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        inter_op_threads: int = 1,
        intra_op_threads: int = 1,
        uses_onednn: bool | None = None,
        trusted: bool = False,
    ) -> None:
        threads = {"inter_op_threads": inter_op_threads, "intra_op_threads": intra_op_threads}
        for name, count in threads.items():
            if not 1 <= count <= _MAX_THREADS:
                raise ConfigError(f"{name} must be from 1 to {_MAX_THREADS}. Received: {count}")
        self.path = path
        self.intra_op_threads = intra_op_threads
        contents = read_directory(path, trusted=trusted)
        self.signatures: dict[str, Signature] = contents.signatures
        if uses_onednn is None:
            uses_onednn = intra_op_threads > 1
        self._backend: _Backend | None = _open_backend(path, contents, threads, uses_onednn)

    def run(self, signature: str, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Run a signature, and return its outputs as arrays.

        Args:
            signature: The signature's name.
            **inputs: A value for every input without a default: str, bytes, numbers, lists of
                these, arrays, or tensors from an earlier call. Numbers are cast if nothing is
                lost except a float's last digits.

        Returns:
            The outputs by name: numbers as read-only arrays, which share TensorFlow's memory;
            strings as object arrays of bytes.

        Raises:
            GenerationError: If there is no such signature, an input is unknown or missing or has
                the wrong dtype or shape, TensorFlow reports an error, or the model is closed.
        """
        outputs = self.run_tensors(signature, **inputs)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def run_tensors(self, signature: str, /, **inputs: Any) -> dict[str, Tensor]:
        """Run a signature, and leave its outputs in TensorFlow's memory.

        This keeps a decoder's state between calls: the outputs of one call are the inputs of the
        next, without a copy. `Tensor.numpy()` converts a single output.

        Args:
            signature: The signature's name.
            **inputs: As in `run`.

        Returns:
            The outputs by name, as handles.

        Raises:
            GenerationError: As in `run`.
        """
        if signature not in self.signatures:
            known = ", ".join(self.signatures) or "none"
            raise GenerationError(f"The signature must be one of: {known}. Received: {signature}")
        # With its own reference, this call can finish although another thread calls `close`.
        backend = self._backend
        if backend is None:
            raise GenerationError(f"The model must be open. Received: {self.path}, closed")
        called = self.signatures[signature]
        bound = bind_inputs(called, inputs)
        outputs = backend.run(called, bound)
        # The batch comes first. Callers look up a prompt's row without asking whether it is there.
        num_rows = {value.shape[0] for value in bound.values() if value.shape}
        for name, tensor in outputs.items():
            spec = called.outputs[name]
            fits = tensor.dtype == spec.dtype and spec.accepts_shape(tensor.shape)
            if fits and num_rows and spec.shape and spec.shape[0] is None:
                fits = tensor.shape[0] in num_rows
            if not fits:
                raise GenerationError(
                    f"{signature}.{name} must be as its signature says. Received: {tensor!r}"
                )
        return outputs

    def close(self) -> None:
        """Free the model as soon as no call is running. It may be called twice.

        Tensors and arrays that the model returned stay valid.
        """
        self._backend = None

    def __enter__(self) -> SavedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_backend(
    path: str | os.PathLike[str], contents: Contents, threads: dict[str, int], uses_onednn: bool
) -> _Backend:
    try:
        loaded = library.load(uses_onednn=uses_onednn)
    except library.LibraryUnavailableError as error:
        from textgen.runtime.fallback import EagerSession

        return EagerSession(path, reason=str(error), **threads)
    return Session(loaded, path, contents, **threads)
