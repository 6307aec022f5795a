"""Run an exported SavedModel without importing tensorflow.

The TensorFlow C API is called through ctypes, straight from the libraries of the
installed wheel: a process is ready in a fraction of the seconds that
`import tensorflow` takes, and a call costs microseconds.

    from textgen.runtime import SavedModel

    with SavedModel("saved_models/shakespeare/1") as model:
        print(model.run("serving_default", prompts=["Once upon a time"])["text"])

        # State that the next call needs can stay where it is, as a handle:
        state = model.run_tensors("prefill", prompts=["Once upon a time"])
        state = model.run_tensors("decode", cache=state["cache"])
        print(state["text"].numpy())

The names below load on first use, so that `preload()` can start reading the libraries
before numpy is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from textgen.runtime.library import preload

if TYPE_CHECKING:
    from textgen.runtime.model import SavedModel
    from textgen.runtime.signatures import Signature, TensorSpec
    from textgen.runtime.tensors import Tensor

__all__ = ["SavedModel", "Signature", "Tensor", "TensorSpec", "preload"]

_HOMES = {
    "SavedModel": "textgen.runtime.model",
    "Signature": "textgen.runtime.signatures",
    "Tensor": "textgen.runtime.tensors",
    "TensorSpec": "textgen.runtime.signatures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
