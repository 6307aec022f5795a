"""What tests of every part share."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core, so one thread each is enough.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs this way, and the programs that tests start would
    # inherit it and never obey Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
from hypothesis import settings

from tests import light_runs
from tests.waiting import PATIENCE

settings.register_profile("textgen", deadline=None)
settings.load_profile("textgen")

ROOT = Path(__file__).parents[1]
ARCHITECTURES = ("transformer", "lstm")
CONTEXT_LENGTH = 10
CHARACTERS = "\n .abcdé。字😀"
# Every worker imports TensorFlow and needs 1 to 2 GB of memory.
_MAX_WORKERS = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Use a process per core for the whole suite, and one process for named tests."""
    if config.args != config.getini("testpaths"):
        return 0
    return min(len(os.sched_getaffinity(0)), _MAX_WORKERS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Start with the files that hold slow tests, so that none of them is left for the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def run_python():
    """Run code in a fresh Python process and return its standard output and error."""

    def run(code, *arguments, stdin="", check=True, **environment):
        # Nothing of what this process's libraries were set to.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env={**inherited, "PYTHONPATH": str(ROOT), **environment},
            timeout=PATIENCE,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr.strip()

    return run


def decode_graph(generator):
    """Return the decode loop as a graph that is traced once, for inputs of any shape."""
    import tensorflow as tf

    from textgen.generation import default_inputs

    inputs = {
        name: tf.TensorSpec([None] * value.ndim, tf.as_dtype(value.dtype))
        for name, value in default_inputs().items()
    }
    # AutoGraph would take seconds and change nothing.
    return tf.function(
        generator.generate,
        input_signature=[tf.TensorSpec([None], tf.string), inputs],
        autograph=False,
    )


@pytest.fixture
def without_samples(monkeypatch):
    """Let runs in training write no samples."""
    light_runs.without_samples(monkeypatch.setattr)


@pytest.fixture
def without_graph(monkeypatch):
    """Let runs export everything but a graph."""
    light_runs.without_graph(monkeypatch.setattr)


@dataclasses.dataclass(frozen=True)
class Exported:
    """A tiny model with random weights, and the folder of its SavedModel."""

    path: Path
    generator: Any
    tokenizer: Any
    graph: Any  # the generator's decode loop, traced

    def write(self, prompts, n=30, seed=0, **inputs):
        """Generate with the library, not the SavedModel; row i draws with `seed + i`."""
        import tensorflow as tf

        from textgen.generation import default_inputs

        count = len(prompts)
        given = {
            **default_inputs(),
            "temperature": np.array([1.0], np.float32),
            "max_new_tokens": np.array([n], np.int32),
            "seed": np.arange(count, dtype=np.int64) + seed,
        }
        for name, value in inputs.items():
            default = given[name]
            given[name] = np.array([value], default.dtype).reshape(1, *[-1] * (default.ndim - 1))
        tensors = {
            name: tf.constant(value, tf.string if value.dtype == object else None)
            for name, value in given.items()
        }
        return self.graph(tf.constant(prompts, tf.string, shape=[count]), tensors)


@pytest.fixture(scope="session")
def export_model(tmp_path_factory):
    """Export a model with random weights as version 1 of the name; give an `Exported`."""
    from textgen.card import ModelCard
    from textgen.config import CorpusConfig
    from textgen.export import write_saved_model
    from textgen.generation import Generator
    from textgen.models import build_model

    root = tmp_path_factory.mktemp("saved_models")

    def export(name, config, tokenizer, seed, **cleaning):
        model = build_model(config, tokenizer.vocab_size)
        noise = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign(noise.normal(0, 0.5, variable.shape))
        generator = Generator.of_model(model, tokenizer, has_documents=False)
        card = {
            "name": name,
            "model": config.to_dict(),
            "tokenizer": {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size},
            "num_parameters": sum(int(np.prod(v.shape)) for v in model.trainable_variables),
            "corpus": {
                "description": "noise",
                "digest": "0" * 64,
                "has_documents": False,
                "num_documents": 1,
                "num_characters": 1000,
                "config": CorpusConfig(**cleaning).to_dict(),
            },
            "training": {"batch_size": 1, "optimizer": "adamw", "ended_by": "max_steps"},
            "steps": 1,
            "created": "2000-01-01T00:00:00+00:00",
            **dict.fromkeys(["validation_loss", "perplexity", "bits_per_character"], 1.0),
            "versions": dict.fromkeys(["textgen", "tensorflow", "keras"], "0"),
        }
        path = root / name / "1"
        path.mkdir(parents=True)
        write_saved_model(path, generator, tokenizer, ModelCard.from_dict(card))
        return Exported(path, generator, tokenizer, decode_graph(generator))

    return export


@pytest.fixture(scope="session")
def exported_models(export_model):
    """An `Exported` for every architecture."""
    from textgen.config import ModelConfig
    from textgen.tokenizer import CharacterTokenizer

    tokenizer = CharacterTokenizer.learn([CHARACTERS])
    shape = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "context_length": CONTEXT_LENGTH}
    return {
        name: export_model(
            name, ModelConfig(name, **shape), tokenizer, seed=1, lowercase=True, normalize="nfc"
        )
        for name in ARCHITECTURES
    }


@pytest.fixture(scope="session")
def published_model(export_model):
    """An `Exported` whose tokenizer numbers its tokens as a published model does."""
    from textgen.config import ModelConfig
    from textgen.tokenizer import PublishedTokenizer, SpecialTokens

    texts = {256: "<|start|>", 257: "<|end|>"}
    # No merge makes the last word, so it has to be kept whole.
    pieces = [*(bytes([byte]) for byte in range(256)), b"", b"", b" t", b"he", b" the", b"hello"]
    merges = [(32, 116), (104, 101), (258, 259)]
    tokenizer = PublishedTokenizer.from_vocabulary(
        pieces, merges, "llama3", SpecialTokens(256, 256, 257), texts, keeps_whole_words=True
    )
    shape = {"num_layers": 1, "num_heads": 1, "hidden_dim": 8, "context_length": 12}
    return export_model("published", ModelConfig("transformer", **shape), tokenizer, seed=3)


@pytest.fixture(scope="session", params=ARCHITECTURES)
def exported(request, exported_models):
    """Each exported model in turn."""
    return exported_models[request.param]


@pytest.fixture
def assert_refused():
    """Give a setting values outside its range; each must be named beside the rule."""
    from textgen.errors import ConfigError

    def give(config, name, rule, values):
        for value in values:
            for build in (config, lambda **settings: config.from_dict(settings)):
                with pytest.raises(ConfigError) as caught:
                    build(**{name: value})
                shown = tuple(value) if isinstance(value, list) else value
                assert str(caught.value) == f"{name} {rule}. Received: {shown!r}"
                assert isinstance(caught.value, ValueError)

    return give


@pytest.fixture
def assert_kept():
    """Give settings that are in their range; lists come back as tuples."""

    def give(config, settings):
        built = config(**settings)
        for name, value in settings.items():
            assert getattr(built, name) == (tuple(value) if isinstance(value, list) else value)

    return give
