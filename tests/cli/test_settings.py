"""Options become settings, and only those that the user gave."""

import click
import pytest
from textgen.cli.settings import given_options, run_options

from textgen.config import RunConfig


@pytest.fixture
def read():
    """Read a command line; return the settings given."""

    @click.command()
    @run_options
    @click.pass_context
    def command(ctx, **settings):
        return given_options(ctx, settings)

    return lambda *arguments: command.main(arguments, standalone_mode=False)


def test_without_options_nothing_is_given(read):
    assert read() == {}


def test_an_option_that_equals_the_default_is_given(read):
    given = read("--seed", "0", "--lowercase", "--learning-rate", "0.5", "--size", "tiny")
    assert given == {"seed": 0, "lowercase": True, "learning_rate": 0.5, "size": "tiny"}


def test_every_setting_of_a_run_has_an_option(read):
    names = {parameter.name for parameter in run_options(lambda: None).__click_params__}
    # The feed-forward width follows from the width. --from and --replay belong to the command.
    without = {"intermediate_dim", "from_model", "replay_fraction"}
    assert RunConfig().to_settings().keys() - without == names - {"size"}
