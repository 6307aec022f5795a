"""Options that several commands share, and `--help` in sections."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

import click
from textgen.cli.completion import complete_model

from textgen.catalog import MODELS_VARIABLE


class SectionedOption(click.Option):
    """An option that `--help` lists in a section.

    Args:
        *arguments: Arguments of `click.Option`.
        section: Title of the section.
        **settings: Keyword arguments of `click.Option`.
    """

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """Lists options without a section first, then section by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Add all options to the help page."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                title = getattr(parameter, "section", "Options")
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def in_section(title: str) -> Callable[..., Callable]:
    """Return a `click.option` whose options `--help` lists in a section."""
    return partial(click.option, cls=SectionedOption, section=title)


models_dir = click.option(
    "--models-dir",
    type=click.Path(file_okay=False),
    envvar=MODELS_VARIABLE,
    show_envvar=True,
    help="Models folder.  [default: ./saved_models]",
)


def choosing(name: str, models_dir: str | None) -> str:
    """Return the options that choose a model, as a user types them in this shell.

    Args:
        name: The model's name.
        models_dir: The value of --models-dir.

    Example:
        >>> choosing("mine", "/tmp/my models")
        "-m mine --models-dir '/tmp/my models'"
    """
    if models_dir is None or models_dir == os.environ.get(MODELS_VARIABLE):
        return f"-m {shlex.quote(name)}"
    return f"-m {shlex.quote(name)} --models-dir {shlex.quote(models_dir)}"


model = click.option(
    "-m",
    "--model",
    metavar="NAME_OR_PATH",
    shell_complete=complete_model,
    help="Model name, NAME/VERSION or folder.  [default: the newest model]",
)

output = in_section("Output")

as_json = output("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
# A smaller number without a unit is hardly meant in seconds.
_MIN_BARE_SECONDS = 30


class Duration(click.ParamType):
    """A duration in seconds (`300`, `90s`), minutes (`10m`) or hours (`1.5h`)."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the duration in seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip(), re.ASCII)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
        if match and not match[2] and 0 < seconds < _MIN_BARE_SECONDS:
            self.fail(f"needs a unit: {match[1]}m? Received: {value!r}", param, ctx)
        if not 0 < seconds < float("inf"):
            self.fail(f"must be a duration such as 90s, 10m or 1h. Received: {value!r}", param, ctx)
        return seconds
