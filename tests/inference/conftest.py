"""Models to write with: one of characters for each architecture, one of byte pairs."""

import numpy as np
import pytest

from textgen.config import CorpusConfig, ModelConfig
from textgen.inference import load

CORPUS = ["low lower lowest 字字 字😀 é 明月光 😀😀 éé\n"] * 3


@pytest.fixture(scope="session")
def byte_pair_path(tmp_path_factory):
    """A SavedModel whose tokens are often parts of characters."""
    from textgen.export import write_saved_model
    from textgen.generation import Generator
    from textgen.models import build_model
    from textgen.tokenizer import BytePairTokenizer

    tokenizer = BytePairTokenizer.learn(CORPUS, vocab_size=290)
    config = ModelConfig("transformer", num_layers=1, num_heads=1, hidden_dim=8, context_length=12)
    model = build_model(config, tokenizer.vocab_size)
    noise = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.5, variable.shape))
    generator = Generator(
        model.decoder(), tokenizer.in_graph(), tokenizer.boundary(False), has_documents=False
    )
    card = {
        "name": "pairs",
        "model": config.to_dict(),
        "corpus": {"config": CorpusConfig().to_dict()},
        "validation_loss": 1.0,
    }
    path = tmp_path_factory.mktemp("saved_models") / "pairs" / "1"
    path.mkdir(parents=True)
    write_saved_model(path, generator, tokenizer, card)
    return path


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
