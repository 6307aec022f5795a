"""Searching for a text instead of drawing one, as options of `textgen generate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource
from textgen.cli.options import SectionedOption

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig

_SECTION = "Search instead of sampling"
# What sampling and searching have in common.
_SHARED = ("max_new_tokens", "stop", "banned")

_OPTIONS = (
    click.option(
        "--num-beams",
        type=int,
        metavar="N",
        cls=SectionedOption,
        section=_SECTION,
        help="Beam search: follow the N likeliest texts side by side.",
    ),
    click.option(
        "--length-penalty",
        type=float,
        default=BeamSearchConfig.length_penalty,
        show_default=True,
        cls=SectionedOption,
        section=_SECTION,
        help="For --num-beams: above 0 favours long texts, below 0 short ones.",
    ),
    click.option(
        "--penalty-alpha",
        type=float,
        metavar="A",
        cls=SectionedOption,
        section=_SECTION,
        help="Contrastive search among --top-k (4) tokens: 0 is greedy, 1 only avoids likeness.",
    ),
)


def search_options(command: Callable) -> Callable:
    """Give a command the options of both searches."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def search_config(
    ctx: click.Context, search: dict[str, Any], sampling: dict[str, Any]
) -> BeamSearchConfig | ContrastiveSearchConfig | None:
    """Return the search that was asked for, or `None` where the text is to be drawn.

    Args:
        ctx: tells which options were given.
        search: values of the options here.
        sampling: values of the options of sampling.

    Raises:
        click.UsageError: options were given that do not go together.
        ConfigError: a value is outside its range.
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
    steering = {*sampling, *search, "num_samples", "interactive", "stream"}
    for name, option in given.items():
        if name in steering - allowed:
            raise click.UsageError(f"{chosen} goes without {option}.")
    return config(**values)
