"""TensorFlow's shared libraries, loaded from the installed wheel with ctypes.

`import tensorflow` takes seconds, almost all of them for Python code. The libraries alone load in
a fifth of a second, and their C API is enough to run a SavedModel. If tensorflow is imported too,
before or after, both share the same libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

from textgen.runtime.banner import hidden_banner

_NAMES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
# Options of mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, and bytes: how much free memory is
# kept, and from which size on a block is memory of its own, which is returned. The second is the
# largest that the library allows.
_KEPT = {-1: 128 * 2**20, -3: 32 * 2**20}


class LibraryUnavailableError(OSError):
    """TensorFlow's libraries are missing or cannot be loaded on this platform."""


class Output(ctypes.Structure):
    """One output of a graph operation (TF_Output)."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


# Name, result, arguments; see tensorflow/c/c_api.h. These functions return immediately. They are
# called with the GIL held: to release it would give the processor to another Python thread for up
# to 5 ms per call.
_QUICK: list[tuple[str, Any, list[Any]]] = [
    ("TF_NewStatus", c_void_p, []),
    ("TF_DeleteStatus", None, [c_void_p]),
    ("TF_GetCode", c_int, [c_void_p]),
    ("TF_Message", c_char_p, [c_void_p]),
    ("TF_NewBufferFromString", c_void_p, [c_char_p, c_size_t]),
    ("TF_DeleteBuffer", None, [c_void_p]),
    ("TF_NewSessionOptions", c_void_p, []),
    ("TF_SetConfig", None, [c_void_p, c_char_p, c_size_t, c_void_p]),
    ("TF_DeleteSessionOptions", None, [c_void_p]),
    ("TF_NewGraph", c_void_p, []),
    ("TF_GraphOperationByName", c_void_p, [c_void_p, c_char_p]),
    ("TF_OperationNumOutputs", c_int, [c_void_p]),
    (
        "TF_NewTensor",
        c_void_p,
        [c_int, POINTER(c_int64), c_int, c_void_p, c_size_t, c_void_p, c_void_p],
    ),
    ("TF_DeleteTensor", None, [c_void_p]),
    ("TF_TensorType", c_int, [c_void_p]),
    ("TF_NumDims", c_int, [c_void_p]),
    ("TF_Dim", c_int64, [c_void_p, c_int]),
    ("TF_TensorData", c_void_p, [c_void_p]),
    ("TF_StringGetDataPointer", c_void_p, [c_void_p]),
    ("TF_StringGetSize", c_size_t, [c_void_p]),
]
# These functions take long, so they release the GIL for other Python threads.
_SLOW: list[tuple[str, Any, list[Any]]] = [
    (
        "TF_LoadSessionFromSavedModel",
        c_void_p,
        [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p],
    ),
    (
        "TF_SessionRun",
        None,
        [c_void_p, c_void_p]
        + [POINTER(Output), POINTER(c_void_p), c_int] * 2
        + [c_void_p, c_int, c_void_p, c_void_p],
    ),
    ("TF_CloseSession", None, [c_void_p, c_void_p]),
    ("TF_DeleteSession", None, [c_void_p, c_void_p]),
    ("TF_DeleteGraph", None, [c_void_p]),
]


# The largest alignment that Eigen needs; TensorFlow copies tensors that are aligned worse.
_ALIGNMENT = 64


class Library(types.SimpleNamespace):
    """The functions of the C API as attributes, under their C names.

    Attributes:
        deallocator: The function that frees what `allocate` returned, for TF_NewTensor. It is
            the C library's `free`, which ignores the two other arguments.
    """

    def __init__(self) -> None:
        super().__init__()
        system = ctypes.PyDLL(None)
        self._allocate = system.posix_memalign
        self._allocate.argtypes = [POINTER(c_void_p), c_size_t, c_size_t]
        self.deallocator = ctypes.cast(system.free, c_void_p)

    def allocate(self, size: int) -> int | None:
        """Allocate memory for a tensor.

        Args:
            size: Number of bytes; may be 0.

        Returns:
            The address, or `None` if there is not enough memory.
        """
        memory = c_void_p()
        failed = self._allocate(ctypes.byref(memory), _ALIGNMENT, max(size, 1))
        return None if failed else memory.value


class Status:
    """A TF_Status for one or more calls, freed at the end of the `with` block.

    Args:
        library: The C API.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.pointer = library.TF_NewStatus()

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.TF_DeleteStatus(self.pointer)

    @property
    def error(self) -> str | None:
        """The error message of the last call, or `None` if it succeeded."""
        if self._library.TF_GetCode(self.pointer) == 0:
            return None
        message = self._library.TF_Message(self.pointer).decode("utf-8", "replace").strip()
        return message or "TensorFlow gave no reason"


_lock = threading.Lock()
_loaded: Library | None = None


def load(*, uses_onednn: bool = False) -> Library:
    """Load the C API once for the process.

    Args:
        uses_onednn: Whether to leave oneDNN on, whose kernels are slower than Eigen's for the one
            row of a decoded token. TF_ENABLE_ONEDNN_OPTS takes precedence, and only the first call
            in the process has an effect.

    Returns:
        The C API.

    Raises:
        LibraryUnavailableError: If the installed tensorflow has no libraries for this platform.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            # Both are read by the libraries' static initializers.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            settings = {} if uses_onednn else {"TF_ENABLE_ONEDNN_OPTS": "0"}
            with environment(settings):
                _loaded = _open(_find_folder())
            _keep_freed_memory()
        return _loaded


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the duration of the block, unless they are set already.

    They are removed afterwards, because child processes would inherit them.

    Args:
        settings: Values by name.
    """
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _keep_freed_memory() -> None:
    """Have the C library keep what is freed, as far as it lets itself be told so.

    Every block of tokens frees and needs the caches of all its rows. Returned to the system, each
    page costs a fault when it is needed again: a fifth of the processor time of 16 rows.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, num_bytes in _KEPT.items():
            mallopt(option, num_bytes)


def disable_xla() -> None:
    """Disable XLA in this process permanently, as a stock TensorFlow Serving does when it starts.

    From then on, functions with `jit_compile` fail instead of running.

    Raises:
        LibraryUnavailableError: If there are no libraries, or they have no such switch.
    """
    load()
    # The library is loaded already: this only looks up its handle.
    symbols = ctypes.CDLL(str(_find_folder() / _NAMES[1]))
    try:
        switch = symbols._ZN10tensorflow21DisableXlaCompilationEv
    except AttributeError as error:
        raise LibraryUnavailableError("TensorFlow has no switch that forbids XLA") from error
    switch.restype, switch.argtypes = None, []
    switch()


def _find_folder() -> Path:
    if sys.byteorder != "little" or ctypes.sizeof(c_void_p) != 8:
        raise LibraryUnavailableError("TensorFlow's strings are laid out differently here")
    try:
        # Finds the package without running it.
        spec = importlib.util.find_spec("tensorflow")
    except ValueError as error:
        raise LibraryUnavailableError("tensorflow is loaded without a spec") from error
    if spec is None or not spec.submodule_search_locations:
        raise LibraryUnavailableError("tensorflow is not installed")
    folder = Path(spec.submodule_search_locations[0])
    for name in _NAMES:
        if not (folder / name).is_file():
            raise LibraryUnavailableError(f"{folder} has no {name}")
    return folder


def _open(folder: Path) -> Library:
    framework_path, core_path = (str(folder / name) for name in _NAMES)
    with hidden_banner():
        _dlopen(framework_path)
    handle = _dlopen(core_path)
    # A lookup also searches the libraries that this one depends on, and so the other one.
    library = Library()
    for loader, functions in ((ctypes.PyDLL, _QUICK), (ctypes.CDLL, _SLOW)):
        symbols = loader(core_path, handle=handle)
        for name, result, arguments in functions:
            try:
                function = getattr(symbols, name)
            except AttributeError as error:
                raise LibraryUnavailableError(f"{core_path} has no {name}") from error
            function.restype, function.argtypes = result, arguments
            setattr(library, name, function)
    return library


def _dlopen(path: str) -> int:
    # ctypes always binds all symbols immediately (RTLD_NOW). To bind each at its first call saves
    # a third of the loading time: the library has 170,000 symbols.
    system = ctypes.CDLL(None)
    system.dlopen.restype, system.dlopen.argtypes = c_void_p, [c_char_p, c_int]
    system.dlerror.restype = c_char_p
    handle = system.dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)
    if not handle:
        reason = (system.dlerror() or b"unknown error").decode("utf-8", "replace")
        raise LibraryUnavailableError(f"{path} cannot be loaded: {reason}")
    return handle
