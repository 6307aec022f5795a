"""Options that several commands share."""

from __future__ import annotations

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
