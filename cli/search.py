"""The controls of both searches as options of `textgen generate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource
from textgen.cli.options import SectionedOption

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig
from textgen.config.controls import controls_of

_SECTION = "Search instead of sampling"
# The controls that the searches share with sampling.
_SHARED = ("max_new_tokens", "stop", "banned")
_HELP = {
    "num_beams": "Use beam search. {}",
    "length_penalty": "With --num-beams: {}",
    "penalty_alpha": "Use contrastive search among the --top-k (4) most likely tokens. {}",
}
_ROWS = {
    control.name: control
    for config in (BeamSearchConfig, ContrastiveSearchConfig)
    for control in controls_of(config)
}


def search_options(command: Callable) -> Callable:
    """Give a command the options of both searches."""
    for name in reversed(_HELP):
        row = _ROWS[name]
        # Giving num_beams or penalty_alpha chooses the search, so they have no default here.
        is_chosen = name != "length_penalty"
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=int if row.dtype == "int32" else float,
            default=None if is_chosen else row.default,
            show_default=not is_chosen,
            cls=SectionedOption,
            section=_SECTION,
            help=_HELP[name].format(row.help),
        )(command)
    return command


def search_config(
    ctx: click.Context, search: dict[str, Any], sampling: dict[str, Any]
) -> BeamSearchConfig | ContrastiveSearchConfig | None:
    """Return the search that the options ask for, or `None` for sampling.

    Args:
        ctx: The command's context, which knows the options that were given.
        search: Values of the options of this module.
        sampling: Values of the options of sampling.

    Raises:
        click.UsageError: If options were given that cannot be combined.
        ConfigError: If a value is outside its range.
    """
    given = {
        parameter.name: parameter.opts[-1]
        for parameter in ctx.command.params
        if parameter.name
        and ctx.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT
    }
    config: type[BeamSearchConfig | ContrastiveSearchConfig]
    values = {name: sampling[name] for name in _SHARED}
    if search["num_beams"] is not None:
        allowed = {*_SHARED, "num_beams", "length_penalty"}
        chosen, config = "--num-beams", BeamSearchConfig
        values |= {name: search[name] for name in ("num_beams", "length_penalty")}
    elif search["penalty_alpha"] is not None:
        allowed = {*_SHARED, "penalty_alpha", "top_k"}
        chosen, config = "--penalty-alpha", ContrastiveSearchConfig
        values["penalty_alpha"] = search["penalty_alpha"]
        if "top_k" in given:
            values["top_k"] = sampling["top_k"]
    elif "length_penalty" in given:
        raise click.UsageError("--length-penalty needs --num-beams.")
    else:
        return None
    others = {*sampling, *search, "num_samples", "interactive", "stream", "avoid_file"}
    for name, option in given.items():
        if name in others - allowed:
            raise click.UsageError(f"{chosen} cannot be combined with {option}.")
    return config(**values)
