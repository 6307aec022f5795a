"""Tiny training runs for the tests of training."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.forked import ForkedPython, clean_environment
from textgen.config import ModelConfig, TrainingConfig
from textgen.training.checkpoints import Checkpoints
from textgen.training.history import History
from textgen.training.loop import Trainer
from textgen.windows import cut_windows

VOCAB_SIZE = 11


@pytest.fixture
def tokens():
    """A periodic text with a little noise: there is something to learn, and to get wrong."""
    generator = np.random.default_rng(0)
    ids = np.tile(np.arange(3, VOCAB_SIZE), 60)
    noisy = generator.random(ids.size) < 0.1
    ids[noisy] = generator.integers(3, VOCAB_SIZE, noisy.sum())
    return ids.astype(np.uint16)


@pytest.fixture
def make_trainer(tmp_path, tokens):
    """Make a trainer of a tiny model whose files are in tmp_path/NAME."""

    def make(
        name="run",
        *,
        model=None,
        strategy=None,
        reporter=None,
        text=None,
        validation=0.2,
        replay=None,
        parent_weights=None,
        has_parent=False,
        **training,
    ):
        shape = {"num_layers": 1, "num_heads": 2, "hidden_dim": 16, "context_length": 8}
        settings = {"max_steps": 12, "batch_size": 4, "validate_every": 4, "jit_compile": False}
        text = tokens if text is None else text
        cut = int(len(text) * (1 - validation))
        model_config = ModelConfig(**{**shape, "dropout": 0.0, **(model or {})})
        config = TrainingConfig(**{**settings, **training})
        return Trainer(
            model_config,
            config,
            VOCAB_SIZE,
            cut_windows(text[:cut], text[cut:], config, model_config.context_length, replay),
            Checkpoints(tmp_path / name / "checkpoints"),
            History(tmp_path / name / "history.jsonl"),
            strategy or tf.distribute.get_strategy(),
            reporter=reporter,
            has_parent=has_parent or parent_weights is not None,
            parent_weights=parent_weights,
        )

    return make


@pytest.fixture
def read_history():
    """Read a history.jsonl without the speeds, which no two runs share."""

    def read(path):
        lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
        for line in lines:
            del line["tokens_per_second"]
        return lines

    return read


@pytest.fixture
def assert_same_arrays():
    """Compare two dictionaries of arrays bit by bit."""

    def compare(left, right):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)

    return compare


@pytest.fixture
def start_python():
    """Start Python on a script; what still runs at the end of the test is killed."""
    started = []

    def start(script, *arguments, **variables):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            env=clean_environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def fork_python(tmp_path_factory):
    """Start Python like `start_python`, in a process that has imported TensorFlow already.

    It ends without the interpreter's shutdown.
    """
    started, folder = [], tmp_path_factory.mktemp("forked")

    def start(script, *arguments, **variables):
        arguments = [str(argument) for argument in arguments]
        process = ForkedPython(script, arguments, clean_environment(**variables), folder)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
