"""What `import textgen` offers: these names and no others, each with an example that runs."""

import ast
import doctest
import inspect
import math
import os
import shutil
import string
from pathlib import Path

import pytest

import textgen
import textgen.errors
from tests.pretrained.checkpoints import write_gguf

# fmt: off
NAMES = [
    "__version__",
    # Models
    "Catalog", "Generation", "ModelCard", "ModelEntry", "Score", "TextGenerator", "TextStream",
    "Shrunk", "TokenLogprob", "add_index", "import_model", "load", "shrink",
    # Settings
    "BeamSearchConfig", "ContrastiveSearchConfig", "CorpusConfig", "ModelConfig", "RunConfig",
    "SamplingConfig", "TrainingConfig",
    # Training
    "Plan", "Progress", "Reporter", "Trained", "Validation", "plan", "resume", "train",
    # Errors
    "CheckpointError", "ConfigError", "CorpusError", "DeviceError", "GenerationError",
    "ModelBusyError", "ModelDamagedError", "ModelNotFoundError", "ModelUnsafeError",
    "PublishedModelError", "TextgenError", "TokenizerError", "TrainingDivergedError",
]
# fmt: on
CORPUS = "Once upon a time there was a king. Then came the queen.\n" * 200


def is_error(name):
    return isinstance(value := getattr(textgen, name), type) and issubclass(value, Exception)


CALLABLES = [name for name in NAMES if name != "__version__" and not is_error(name)]


def test_these_names_are_exported():
    assert sorted(textgen.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(textgen))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_documented_value(name):
    value = getattr(textgen, name)
    assert name == "__version__" or value.__doc__


def test_a_name_that_is_not_exported_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = textgen.nothing


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(textgen.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module.removeprefix("textgen.")
        for node in block.body
        for alias in node.names
        if alias.asname == alias.name
    }
    assert seen == textgen._HOMES


def test_every_error_of_the_library_is_exported():
    from textgen import errors

    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.TextgenError)
    }
    assert defined == {name for name in NAMES if is_error(name)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The model `shakespeare`, in a working folder with a corpus and a published model."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "corpus.txt").write_text(CORPUS, "utf-8")
    write_gguf(folder / "SmolLM2.gguf")
    alphabet = folder / "shakespeare.txt"
    alphabet.write_text(string.printable * 9, "utf-8")
    shape = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "context_length": 16}
    shape |= {"tokenizer": "character", "lowercase": True, "jit_compile": False}
    models = folder / "saved_models"
    return textgen.train([alphabet], "shakespeare", models_dir=models, max_steps=5, **shape)


@pytest.fixture(scope="module")
def shakespeare(trained):
    with textgen.load(trained.path) as model:
        yield model


@pytest.mark.usefixtures("without_samples", "without_graph")
@pytest.mark.parametrize("name", CALLABLES)
def test_the_examples_run(name, trained, shakespeare, tmp_path, monkeypatch):
    # Each in a copy of the folder, because some of them change it.
    shutil.copytree(trained.path.parents[2], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TEXTGEN_MODELS", raising=False)
    known = {"textgen": textgen, "math": math, "os": os, "model": shakespeare, "trained": trained}
    assert_examples_run(inspect.unwrap(getattr(textgen, name)), name, known)


def assert_examples_run(value, name, known):
    """Run the examples of a value and of its methods, of which there must be one at least."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failures = []
    for test in doctest.DocTestFinder().find(value, name, globs=known):
        runner.run(test, out=failures.append)
    assert runner.tries, f"{name} has no example"
    assert not failures, "".join(failures)


def test_the_example_of_catching_an_error_runs():
    assert_examples_run(textgen.errors, "errors", {"textgen": textgen})
