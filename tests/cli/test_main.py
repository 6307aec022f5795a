"""The command as a program: version, module, completion, demo."""

import functools
import os
import re
import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from textgen.cli.main import cli

from textgen import pipeline
from textgen.config import ModelConfig


def test_version_names_textgen_tensorflow_and_keras(run):
    result = run("--version")
    assert result.stdout.splitlines() == [
        f"textgen {version('textgen')}",
        f"TensorFlow {version('tensorflow')}",
        f"Keras {version('keras')}",
    ]


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "textgen.cli", "--help"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0
    assert process.stdout.startswith("Usage: textgen ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_completion(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0, result.output
    assert "_TEXTGEN_COMPLETE" in result.stdout


def test_model_names_are_completed(run, models):
    environment = {
        "_TEXTGEN_COMPLETE": "bash_complete",
        "COMP_WORDS": f"textgen generate --models-dir {models} -m f",
        "COMP_CWORD": "5",
    }
    result = run(env=environment)
    assert "plain,fox" in result.stdout


def test_every_command_of_the_list_is_there_under_its_name(run):
    page = run("--help", terminal_width=80).stdout
    names = cli.list_commands(click.Context(cli))
    assert len(names) > 6
    for name in names:
        assert f"\n  {name} " in page
        assert cli.get_command(click.Context(cli), name).name == name


def test_help_imports_no_command(run_python):
    code = "import sys, textgen.cli.main; print(*sys.modules)"
    loaded = set(run_python(code)[0].split())
    assert {name for name in loaded if name.startswith("textgen.cli.")} == {
        "textgen.cli.flags",
        "textgen.cli.interrupt",
        "textgen.cli.main",
        "textgen.cli.screen",
    }
    assert not {"textgen.config", "dataclasses"} & loaded


@pytest.mark.parametrize("width", [60, 80, 93, 100])
def test_help_breaks_no_line_within_an_option(run, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("train", "--help").stdout
    assert "--context-length" in shown
    assert not re.search(r"--[a-z-]+-$", shown, re.MULTILINE)


def test_a_closed_standard_output_is_an_error(models):
    command = f'"{sys.executable}" -m textgen.cli list --models-dir "{models}" >&-'
    process = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True)
    assert process.returncode == 1
    assert process.stderr == "Error: Standard output is closed.\n"


def test_a_prompt_that_the_locale_cannot_decode_gets_the_reason(models):
    command = [sys.executable, "-m", "textgen.cli", "generate", "é", "--models-dir", models]
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    process = subprocess.run(
        command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True
    )
    assert process.returncode == 2
    assert "the encoding of your locale, ascii" in process.stderr


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_full_disk_gets_a_sentence_from_help_too(option):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "textgen.cli", option]
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert process.returncode == 1
    assert process.stderr == "Error: No space left on device.\n"


def test_an_unknown_command_is_a_usage_error(run):
    result = run("sing")
    assert result.exit_code == 2
    assert "No such command 'sing'." in result.stderr
    assert "Did you mean" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("genrate", "x"), "Did you mean 'generate'?"),
        (("Train",), "Did you mean 'train'?"),
        (("generate", "--temprature", "1"), "'--temperature'"),
        (("list", "--jsn"), "'--json'"),
    ],
)
def test_a_misspelt_command_or_option_gets_the_nearest_that_exists(run, arguments, suggestion):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert suggestion in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("without_samples")
def test_the_demo_learns_from_what_python_brings_and_writes(run, tmp_path, monkeypatch):
    # Its own model takes half a minute to compile; `.ci/run` trains that one, on all modules.
    tiny = ModelConfig(num_layers=1, num_heads=1, hidden_dim=8, context_length=8)
    monkeypatch.setattr(ModelConfig, "of_size", lambda *size, **changes: tiny)
    uncompiled = functools.partial(pipeline.train, jit_compile=False)
    monkeypatch.setattr(pipeline, "train", uncompiled)
    monkeypatch.setattr("textgen.cli.demo._MODULES", ("bdb", "cmd"))
    result = run("demo", "--code", "--max-steps", 2, "--models-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert "standard-library" in result.stderr
    assert "\ndef" in result.stdout
