"""Models to write with: one of characters for each architecture, one of byte pairs."""

import pytest

from textgen.config import ModelConfig
from textgen.inference import load

CORPUS = ["low lower lowest 字字 字😀 é 明月光 😀😀 éé\n"] * 3


@pytest.fixture(scope="session")
def byte_pair_path(export_model):
    """A SavedModel whose tokens are often parts of characters."""
    from textgen.tokenizer import BytePairTokenizer

    tokenizer = BytePairTokenizer.learn(CORPUS, vocab_size=290)
    config = ModelConfig("transformer", num_layers=1, num_heads=1, hidden_dim=8, context_length=12)
    return export_model("pairs", config, tokenizer, seed=2).path


@pytest.fixture(scope="module")
def model(exported):
    with load(exported.path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def any_model(exported_models):
    with load(exported_models["lstm"].path) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def byte_pair_model(byte_pair_path):
    with load(byte_pair_path) as loaded:
        yield loaded
