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
"""

from textgen.runtime.saved_model import SavedModel
from textgen.runtime.signatures import Signature, TensorSpec
from textgen.runtime.tensors import Tensor

__all__ = ["SavedModel", "Signature", "Tensor", "TensorSpec"]
