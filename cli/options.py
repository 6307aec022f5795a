"""Options that several commands share."""

from __future__ import annotations

import re

import click
from textgen.cli.completion import complete_model

from textgen.catalog import MODELS_VARIABLE

models_dir = click.option(
    "--models-dir",
    type=click.Path(file_okay=False),
    envvar=MODELS_VARIABLE,
    show_envvar=True,
    help="Folder of the models.  [default: ./saved_models]",
)

model = click.option(
    "-m",
    "--model",
    metavar="NAME_OR_PATH",
    shell_complete=complete_model,
    help="Which model.  [default: the newest]",
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):
    """Seconds, as in `300` and `90s`, minutes (`10m`) or hours (`1.5h`); gives seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds that `value` says."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip(), re.ASCII)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"must be a duration such as 90s, 10m or 1h. Received: {value!r}", param, ctx)
        return seconds
