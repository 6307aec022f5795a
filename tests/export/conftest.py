"""An exported model of each architecture, loaded, and how to ask it."""

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from textgen.runtime import SavedModel

PROMPTS = [
    "a",
    "",
    "é。字😀",
    "never seen: ☃ Ж",
    "abcd " * 12,  # longer than the context
    "\n\n",
    "e\u0301",
]


@pytest.fixture(scope="module")
def model(exported):
    with SavedModel(exported.path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def meta_graph(exported):
    content = (exported.path / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


def ask(model, prompts, n=30, temperature=1.0, seed=0, **inputs):
    """The arguments of `Exported.write`, for the SavedModel."""
    texts = {"stop", "banned", "bias_text"}
    return model.run(
        "generate",
        prompts=prompts,
        max_new_tokens=[n],
        temperature=[temperature],
        seed=np.arange(len(prompts), dtype=np.int64) + seed,
        **{
            name: np.array([value], object).reshape(1, -1) if name in texts else [value]
            for name, value in inputs.items()
        },
    )
