"""A model trained through the command line, shared by the tests of the commands."""

import contextlib
import json

import pytest
from click.testing import CliRunner
from textgen.cli.main import cli

from textgen import inference
from textgen.catalog import Catalog

CORPUS = "The quick brown fox jumps over the lazy dog. 明月光。\x1b[m\n" * 60
SMALL = [
    *("--num-layers", "1", "--hidden-dim", "16", "--context-length", "8"),
    *("--max-steps", "6", "--batch-size", "4", "--no-jit-compile"),
]
# The model writes the ANSI code "\x1b[m".
WRITES_ESCAPE = [
    *("-n", "3", "--temperature", "0", "--no-repeat-ngram-size", "1"),
    *("--logit-bias", "\x1b=99", "--logit-bias", "[=66", "--logit-bias", "m=33"),
]

ANSWERS = {"Who are you?": "A fox.", "What is red?": "An apple.", "What is blue?": "The sky."}
COLUMNS = ["--prompt-column", "question", "--text-column", "answer"]
_LEARN = [*SMALL, "--context-length", "32", "--max-steps", "120", "--learning-rate", "0.02"]


def write_answers(path):
    """Write a table of questions and answers."""
    rows = [{"question": question, "answer": answer} for question, answer in ANSWERS.items()]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def run():
    """Run the command line in this process."""

    def invoke(*arguments, **options):
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="textgen", **options)

    return invoke


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "fox.txt"
    path.write_text(CORPUS, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def models(run, corpus, tmp_path_factory):
    """A models folder with one model, `fox`."""
    folder = tmp_path_factory.mktemp("models")
    result = run("train", corpus, *SMALL, "--models-dir", folder)
    assert result.exit_code == 0, result.output
    assert "\n  | " in result.stderr  # a sample
    return folder


@pytest.fixture(scope="session")
def keep_open():
    """`load`, for models that stay open: to open one takes most of a short command's time."""
    opened = {}

    def load(name_or_path=None, models_dir=None):
        entry = Catalog(models_dir).find(name_or_path)
        if entry.path not in opened:
            opened[entry.path] = inference.TextGenerator(entry)
        return contextlib.nullcontext(opened[entry.path])

    yield load
    for generator in opened.values():
        generator.close()


@pytest.fixture
def run_on_fox(run, models, stays_open):
    """Run a command on the models folder."""

    def invoke(*arguments, **options):
        return run(*arguments, "--models-dir", models, **options)

    return invoke


@pytest.fixture
def stays_open(keep_open, monkeypatch):
    """Let commands share the models that they open."""
    monkeypatch.setattr(inference, "load", keep_open)


@pytest.fixture(scope="session")
def learn(run):
    """Train a tiny model until it knows a few answers, without samples, which take longest."""

    def learn(*arguments):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("textgen.generation.SampleGenerator.__call__", lambda *_: "")
            result = run("train", *arguments, *_LEARN)
        assert result.exit_code == 0, result.output

    return learn


@pytest.fixture(scope="session")
def faq_models(learn, tmp_path_factory):
    """A models folder with one model, `faq`, that knows three answers."""
    folder = tmp_path_factory.mktemp("answers")
    learn(write_answers(folder / "faq.jsonl"), *COLUMNS, "--models-dir", folder)
    return folder
