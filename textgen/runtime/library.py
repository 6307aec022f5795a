"""TensorFlow's shared libraries, loaded from the installed wheel with ctypes.

`import tensorflow` takes seconds, almost all of them for Python code. The libraries
alone load in a fifth of a second, and their C API is all that running a SavedModel
takes. Where tensorflow is imported too, before or after, both share the same libraries.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
import types
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

_NAMES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")

# absl::SetMinLogLevel and absl::MinLogLevel, as the wheel's build of Abseil mangles them.
_SET_LOG_LEVEL = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE"
_GET_LOG_LEVEL = "_ZN4absl12lts_2025081411MinLogLevelEv"


class LibraryUnavailableError(OSError):
    """TensorFlow's libraries are not there or cannot be loaded on this platform."""


class Output(ctypes.Structure):
    """One output of a graph operation (TF_Output)."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]  # noqa: RUF012


# Name, result, arguments; see tensorflow/c/c_api.h. These return at once. They are called
# with the GIL held: letting go of it would hand the processor to another Python thread for
# up to 5 ms a call.
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
    ("TF_AllocateTensor", c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    ("TF_DeleteTensor", None, [c_void_p]),
    ("TF_TensorType", c_int, [c_void_p]),
    ("TF_NumDims", c_int, [c_void_p]),
    ("TF_Dim", c_int64, [c_void_p, c_int]),
    ("TF_TensorData", c_void_p, [c_void_p]),
    ("TF_StringGetDataPointer", c_void_p, [c_void_p]),
    ("TF_StringGetSize", c_size_t, [c_void_p]),
]
# These take their time, so other Python threads go on meanwhile.
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


class Library(types.SimpleNamespace):
    """The functions of the C API as attributes, under their C names."""


class Status:
    """A TF_Status for one or more calls, freed at the end of the `with` block.

    Args:
        library: the C API.
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
        """What went wrong in the last call, or None if nothing did."""
        if self._library.TF_GetCode(self.pointer) == 0:
            return None
        message = self._library.TF_Message(self.pointer).decode("utf-8", "replace").strip()
        return message or "TensorFlow gave no reason"


_lock = threading.Lock()
_loaded: Library | None = None


def load(*, single_threaded: bool = True) -> Library:
    """Load the C API once for the process.

    Args:
        single_threaded: turn oneDNN off, unless TF_ENABLE_ONEDNN_OPTS is set: on one thread
            its kernels are slower than Eigen's for the small matrices of one decoded token.
            Only the first call in the process decides.

    Returns:
        The C API.

    Raises:
        LibraryUnavailableError: no libraries in the installed tensorflow for this platform.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            # Both are read by the libraries' static initializers.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            if single_threaded:
                os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
            _loaded = _open(_find_folder())
        return _loaded


def preload() -> None:
    """Start loading the libraries in the background, with the settings of one thread.

    Call it first thing in a program that is going to run a model: the loading goes on
    while Python imports the rest. Errors show when a model is loaded.
    """
    threading.Thread(target=_load_quietly, name="textgen-preload", daemon=True).start()


def _load_quietly() -> None:
    try:
        load()
    except LibraryUnavailableError:
        # Whoever loads a model next meets the same error and falls back.
        return


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
            raise LibraryUnavailableError(f"{folder} holds no {name}")
    return folder


def _open(folder: Path) -> Library:
    framework_path, core_path = (str(folder / name) for name in _NAMES)
    framework = ctypes.CDLL(framework_path, handle=_dlopen(framework_path))
    restore_log_level = _quieten(framework)
    try:
        handle = _dlopen(core_path)
    finally:
        restore_log_level()
    # A symbol is also looked up in the libraries that the second one depends on, the
    # first among them.
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
    # ctypes always binds all symbols at once (RTLD_NOW). Binding each at its first call
    # saves a third of the loading time: the library has 170,000 of them.
    system = ctypes.CDLL(None)
    system.dlopen.restype, system.dlopen.argtypes = c_void_p, [c_char_p, c_int]
    system.dlerror.restype = c_char_p
    handle = system.dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)
    if not handle:
        reason = (system.dlerror() or b"unknown error").decode("utf-8", "replace")
        raise LibraryUnavailableError(f"{path} cannot be loaded: {reason}")
    return handle


def _quieten(framework: ctypes.CDLL) -> Any:
    # TF_CPP_MIN_LOG_LEVEL does not reach what static initializers write ("Could not find
    # cuda drivers"), so the level is set by hand while the second library loads. Returns
    # the function that puts the level back.
    try:
        set_level, get_level = framework[_SET_LOG_LEVEL], framework[_GET_LOG_LEVEL]
        wanted = int(os.environ["TF_CPP_MIN_LOG_LEVEL"])
    except (AttributeError, ValueError):
        # Another build of Abseil, or an odd setting: the lines appear, nothing else.
        return lambda: None
    set_level.restype, set_level.argtypes = None, [c_int]
    get_level.restype, get_level.argtypes = c_int, []
    before = get_level()
    set_level(max(before, wanted))
    return lambda: set_level(before)
