"""Messages name options on the command line, where the library names settings."""

import click
import pytest
from textgen.cli.flags import name_options


@click.command()
@click.option("--max-steps")
@click.option("--dropout")
@click.option("--model", "architecture")
@click.option("--encoding")
def command():
    pass


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("dropout must be in [0, 1). Received: 1.0", "--dropout must be in [0, 1). Received: 1.0"),
        ("The run ended. Give a larger max_steps.", "The run ended. Give a larger --max-steps."),
        ("architecture cannot change. Received: 1", "--model cannot change. Received: 1"),
        ("Read it with encoding=utf-16.", "Read it with --encoding=utf-16."),
        ("No model yet. Train one first.", "No model yet. Train one: textgen train corpus.txt"),
        # What is no setting, or was received, stays.
        ("The encoding is wrong.", "The encoding is wrong."),
        ("top_p must be in (0, 1]", "top_p must be in (0, 1]"),
        ("Too few. Received: max_steps=3", "Too few. Received: max_steps=3"),
        ("my_max_steps.txt: not found", "my_max_steps.txt: not found"),
    ],
)
def test_settings_become_options(message, shown):
    assert name_options(message, command) == shown
