"""The options of a run become its settings, and it is known which of them were given."""

import click
import pytest
from textgen.cli.settings import PLANNED, given_settings, run_config, run_options

from textgen.config import ModelConfig, RunConfig
from textgen.models.registry import profile_of


@pytest.fixture
def read():
    """Read a command line: the config, and what was given."""

    @click.command()
    @run_options
    @click.pass_context
    def command(ctx, **settings):
        return run_config(settings), given_settings(ctx, settings)

    return lambda *arguments: command.main(arguments, standalone_mode=False)


def test_no_option_stands_for_the_defaults(read):
    assert read() == (RunConfig(), {})


def test_what_is_given_is_told_even_where_it_is_the_default(read):
    config, given = read("--seed", "0", "--lowercase", "--learning-rate", "0.5")
    assert given == {"seed": 0, "lowercase": True, "learning_rate": 0.5}
    assert config.corpus.lowercase
    assert config.training.learning_rate == 0.5
    assert PLANNED & given.keys() == {"seed", "learning_rate"}


def test_a_size_is_given_as_the_settings_it_stands_for(read):
    config, given = read("--model", "lstm", "--size", "tiny")
    assert config.model == ModelConfig.of_size("lstm", "tiny")
    assert given == {"architecture": "lstm", **profile_of("lstm").sizes["tiny"]}


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        (("--accumulate", "3"), {"batch_size": 18}),
        (("--accumulate", "8"), {"batch_size": 16}),
        (("--num-heads", "3"), {"hidden_dim": 144, "num_layers": 4}),
        (("--hidden-dim", "130"), {"num_heads": 2}),
    ],
    ids=" ".join,
)
def test_what_is_left_out_makes_way_for_what_is_given(read, given, fitting):
    config, named = read(*given)
    settings = config.model.to_dict() | config.training.to_dict()
    assert {name: settings[name] for name in fitting} == fitting
    assert len(named) == 1


def test_what_is_given_beside_a_size_takes_the_place_of_its_own(read):
    config, given = read("--size", "tiny", "--num-layers", "3")
    assert (given["num_layers"], config.model.num_layers) == (3, 3)
