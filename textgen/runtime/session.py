"""A SavedModel in a session of TensorFlow's C API."""

from __future__ import annotations

import ctypes
import dataclasses
import os
from ctypes import c_char_p, c_void_p

import numpy as np

from textgen.errors import GenerationError, ModelDamagedError
from textgen.numerals import whole_number
from textgen.runtime.directory import SERVING_TAG, Contents
from textgen.runtime.library import Library, Output, Status, environment
from textgen.runtime.signatures import Signature, TensorSpec
from textgen.runtime.tensors import NativeTensor, Tensor

# RunOptions.inter_op_thread_pool = -1: the calling thread runs the graph itself. This saves two
# context switches per call, and lets several Python threads run at the same time.
_RUN_IN_CALLER = b"\x18" + b"\xff" * 9 + b"\x01"
# The operations that the single-threaded executor cannot run. TensorFlow 2 does not use them.
_LOW_LEVEL_CONTROL_FLOW = {"Enter", "Merge", "RefEnter", "RefMerge", "RefSwitch", "Switch"}
_PLAIN_EXECUTOR = b"SINGLE_THREADED_EXECUTOR"
# The input of exported graphs that says how many threads an operation has.
_NUM_THREADS = b"num_threads"
# TensorFlow reads this when the process creates its first device. With it, every session has its
# own threads. Otherwise all would share those of the first, and later training would run on one
# core.
_OWN_POOL = {"TF_OVERRIDE_GLOBAL_THREADPOOL": "1"}


@dataclasses.dataclass(frozen=True)
class _Endpoints:
    """Where a signature's tensors are in the graph."""

    inputs: dict[str, Output]
    outputs: ctypes.Array[Output]


class Session:
    """A loaded graph with its variables.

    Several threads may use it at the same time. The graph and its variables are freed with the
    last reference, so a call in another thread can finish first.

    Args:
        library: The C API.
        path: The SavedModel's folder.
        contents: The result of `directory.read_directory`.
        inter_op_threads: Maximum number of operations that run at the same time per call.
        intra_op_threads: Maximum number of threads per operation. They belong to this session,
            unless tensorflow has run something in this process before: then its number holds.

    Raises:
        ModelDamagedError: If TensorFlow cannot load the SavedModel.
    """

    def __init__(
        self,
        library: Library,
        path: str | os.PathLike[str],
        contents: Contents,
        *,
        inter_op_threads: int,
        intra_op_threads: int,
    ) -> None:
        self._library = library
        self._session: int | None = None
        self._run_options: int | None = None
        self._graph: int = library.TF_NewGraph()
        plain = inter_op_threads == 1 and not contents.graph.operations & _LOW_LEVEL_CONTROL_FLOW
        config = _serialize_config(inter_op_threads, intra_op_threads, plain_executor=plain)
        self._session = self._load(path, config)
        if inter_op_threads == 1:
            options = (_RUN_IN_CALLER, len(_RUN_IN_CALLER))
            self._run_options = library.TF_NewBufferFromString(*options)
        self._num_threads: tuple[Output, NativeTensor] | None = None
        operation = library.TF_GraphOperationByName(self._graph, _NUM_THREADS)
        if operation:  # models of earlier versions have none
            count = NativeTensor.from_numpy(library, np.array(intra_op_threads, np.int32))
            self._num_threads = Output(operation, 0), count
        self._endpoints = {
            name: _Endpoints(
                {key: self._find(path, spec) for key, spec in signature.inputs.items()},
                (Output * len(signature.outputs))(
                    *(self._find(path, spec) for spec in signature.outputs.values())
                ),
            )
            for name, signature in contents.signatures.items()
        }

    def run(
        self, signature: Signature, inputs: dict[str, np.ndarray | Tensor]
    ) -> dict[str, Tensor]:
        """Run a signature once.

        Args:
            signature: One of the signatures in `contents`.
            inputs: A value for every input, with the right dtype and shape.

        Returns:
            All outputs by name.

        Raises:
            GenerationError: If TensorFlow reports an error.
        """
        library, endpoints = self._library, self._endpoints[signature.name]
        tensors = {
            name: value
            if isinstance(value, NativeTensor)
            else NativeTensor.from_numpy(
                library, value.numpy() if isinstance(value, Tensor) else value
            )
            for name, value in inputs.items()
        }
        fed = [(endpoints.inputs[name], tensor) for name, tensor in tensors.items()]
        if self._num_threads is not None:
            fed.append(self._num_threads)
        feeds = (Output * len(fed))(*(output for output, _ in fed))
        values = (c_void_p * len(fed))(*(tensor.pointer for _, tensor in fed))
        with Status(library) as status:
            fetched = _Fetched(library, len(endpoints.outputs))
            library.TF_SessionRun(
                self._session,
                self._run_options,
                *(feeds, values, len(fed)),
                *(endpoints.outputs, fetched.pointers, len(endpoints.outputs)),
                *(None, 0, None, status.pointer),
            )
            message = status.error
        if message is not None:
            raise _generation_error(signature, message)
        return {name: fetched.take(index) for index, name in enumerate(signature.outputs)}

    def __del__(self) -> None:
        # A failed constructor leaves some of these unset. Tensors own their memory.
        library = self._library
        with Status(library) as status:
            if self._session is not None:
                library.TF_CloseSession(self._session, status.pointer)
                library.TF_DeleteSession(self._session, status.pointer)
        library.TF_DeleteGraph(self._graph)
        if self._run_options is not None:
            library.TF_DeleteBuffer(self._run_options)

    def _load(self, path: str | os.PathLike[str], config: bytes) -> int:
        library = self._library
        options = library.TF_NewSessionOptions()
        try:
            with Status(library) as status, environment(_OWN_POOL):
                library.TF_SetConfig(options, config, len(config), status.pointer)
                session = library.TF_LoadSessionFromSavedModel(
                    options,
                    None,
                    os.fsencode(path),
                    (c_char_p * 1)(SERVING_TAG.encode()),
                    1,
                    self._graph,
                    None,
                    status.pointer,
                )
                message = status.error
        finally:
            library.TF_DeleteSessionOptions(options)
        if message is not None:
            reason = message.splitlines()[0]
            raise ModelDamagedError(f"The SavedModel at {path} cannot be loaded: {reason}")
        return session

    def _find(self, path: str | os.PathLike[str], spec: TensorSpec) -> Output:
        operation_name, _, text = spec.name.rpartition(":")
        index = whole_number(text)
        operation = self._library.TF_GraphOperationByName(self._graph, operation_name.encode())
        # TensorFlow aborts the process if an output does not exist.
        if (
            not operation
            or index is None
            or index >= self._library.TF_OperationNumOutputs(operation)
        ):
            raise ModelDamagedError(
                f"The SavedModel at {path} is damaged: its graph has no tensor {spec.name}"
            )
        return Output(operation, index)


class _Fetched:
    """The outputs of a run. Those that are not taken are freed, even if the call is interrupted."""

    def __init__(self, library: Library, count: int) -> None:
        self._library = library
        self.pointers = (c_void_p * count)()

    def take(self, index: int) -> NativeTensor:
        pointer = self.pointers[index]
        if not pointer:
            raise GenerationError("TensorFlow returned no value")
        self.pointers[index] = None
        return NativeTensor(self._library, pointer)

    def __del__(self) -> None:
        for pointer in self.pointers:
            if pointer:
                self._library.TF_DeleteTensor(pointer)


def _generation_error(signature: Signature, message: str) -> GenerationError:
    # The first line says what is wrong, the others where in the graph.
    lines = message.splitlines()
    error = GenerationError(f"{signature.name} failed: {lines[0]}")
    if len(lines) > 1:
        error.add_note(message)
    return error


def _serialize_config(
    inter_op_threads: int, intra_op_threads: int, *, plain_executor: bool
) -> bytes:
    """Serialize a ConfigProto (tensorflow/core/protobuf/config.proto) without protobuf.

    Args:
        inter_op_threads: 1 to 127.
        intra_op_threads: 1 to 127.
        plain_executor: Whether to run one operation after the other in a fixed order. A token of
            a small model takes hundreds of operations of a microsecond each, and the default
            executor needs as much time again to decide which to run next.
    """
    executor = bytes([3 << 3 | 2, len(_PLAIN_EXECUTOR)]) + _PLAIN_EXECUTOR
    return b"".join(
        [
            # device_count {"GPU": 0}: one row decodes faster without a GPU, whose start takes
            # seconds and all of its memory.
            b"\x0a\x07\x0a\x03GPU\x10\x00",
            bytes([2 << 3, intra_op_threads]),
            bytes([5 << 3, inter_op_threads]),
            # allow_soft_placement: a graph that asks for a GPU gets the CPU.
            bytes([7 << 3, 1]),
            # use_per_session_threads: inter_op_threads holds for this session only.
            bytes([9 << 3, 1]),
            # graph_options.rewrite_options.disable_meta_optimizer: the export has done its work,
            # and it would take longer than two hundred tokens.
            b"\x52\x05\x52\x03\x98\x01\x01",
            # experimental.executor_type
            b"\x82\x01" + bytes([len(executor)]) + executor if plain_executor else b"",
        ]
    )
