"""A model trained through the command line, shared by the tests of the commands."""

import pytest
from click.testing import CliRunner
from textgen.cli.main import cli

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
