"""The exported model as a caller sees it: signatures in, arrays out."""

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

    Several threads may call `run` and `run_tensors` at the same time. Ctrl-C during a call
    is raised when TensorFlow has finished it; the model stays usable.

    Args:
        path: the folder that holds `saved_model.pb`.
        inter_op_threads: how many operations may run at a time in one call; with 1 the
            calling thread does the work, the fastest way for small models.
        intra_op_threads: how many threads one operation may use. They are this model's own,
            unless tensorflow has run something in this process before: then its count.
        uses_onednn: whether oneDNN's kernels may run. They are fast for large batches, and slow
            for one decoded token. By default, with several `intra_op_threads`. Only the first
            model in the process decides.

    Attributes:
        path: the folder, as it was given.
        signatures: what can be run, by name.

    Raises:
        ModelDamagedError: the folder is no SavedModel, or cannot be loaded.
        ConfigError: a number of threads is outside 1 to 127.

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
        contents = read_directory(path, trusted=trusted)
        self.signatures: dict[str, Signature] = contents.signatures
        if uses_onednn is None:
            uses_onednn = intra_op_threads > 1
        self._backend: _Backend | None = _open_backend(path, contents, threads, uses_onednn)

    def run(self, signature: str, /, **inputs: Any) -> dict[str, np.ndarray]:
        """Run a signature and bring all of its outputs to numpy.

        Args:
            signature: its name.
            **inputs: a value for every input that has no default: str, bytes, numbers,
                lists of these, arrays, or tensors of an earlier call. Numbers are cast
                where nothing is lost but a float's last digits.

        Returns:
            The outputs by name: numbers as read-only arrays, which share TensorFlow's
            memory; strings as object arrays of bytes.

        Raises:
            GenerationError: no such signature; an input is unknown, missing, or of the
                wrong dtype or shape; TensorFlow reports an error; or the model is closed.
        """
        outputs = self.run_tensors(signature, **inputs)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def run_tensors(self, signature: str, /, **inputs: Any) -> dict[str, Tensor]:
        """Run a signature and leave its outputs where they are.

        The way to keep a decoder's state between calls: what comes out of one call goes
        into the next without a copy. `Tensor.numpy()` brings a single output over.

        Args:
            signature: its name.
            **inputs: as in `run`.

        Returns:
            The outputs by name, as handles.

        Raises:
            GenerationError: as in `run`.
        """
        if signature not in self.signatures:
            known = ", ".join(self.signatures) or "none"
            raise GenerationError(f"The signature must be one of: {known}. Received: {signature}")
        # A reference of the call's own: `close` in another thread lets it finish.
        backend = self._backend
        if backend is None:
            raise GenerationError(f"The model must be open. Received: {self.path}, closed")
        called = self.signatures[signature]
        outputs = backend.run(called, bind_inputs(called, inputs))
        for name, tensor in outputs.items():
            spec = called.outputs[name]
            if tensor.dtype != spec.dtype or not spec.accepts_shape(tensor.shape):
                raise GenerationError(
                    f"{signature}.{name} must be as its signature says. Received: {tensor!r}"
                )
        return outputs

    def close(self) -> None:
        """Free the model as soon as no call is running; a second time does nothing.

        Tensors and arrays that it gave stay valid.
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
