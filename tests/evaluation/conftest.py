"""Two tiny trained models: of documents in BPE tokens, and of one text in characters."""

import pytest

import textgen
from tests import light_runs

LINES = "".join(
    f"The {i} quick brown foxes jump over {i * i} lazy dogs; 明月光。\n" for i in range(90)
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The results of training by name, and the models folder."""
    folder = tmp_path_factory.mktemp("trained")
    corpus = folder / "foxes.txt"
    corpus.write_text(LINES, "utf-8")
    shape = {"num_layers": 1, "hidden_dim": 16, "context_length": 12, "batch_size": 4}
    shape |= {"max_steps": 4, "jit_compile": False}
    with pytest.MonkeyPatch.context() as patched:
        light_runs.without_samples(patched.setattr)
        results = {
            name: textgen.train([corpus], name, None, folder / "models", **shape, **settings)
            for name, settings in {
                "lines": {"split_documents": "line", "tokenizer": "bpe", "vocab_size": 300},
                "text": {"architecture": "lstm", "tokenizer": "character"},
            }.items()
        }
    return results, folder / "models"


@pytest.fixture(scope="session")
def models(trained):
    return trained[1]
