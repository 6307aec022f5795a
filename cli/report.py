"""`textgen report`: a page about a model, as one HTML file."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import say, visible

from textgen.catalog import Catalog


@click.command()
@click.argument("model", metavar="[NAME_OR_PATH]", required=False, shell_complete=complete_model)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="File to write.  [default: NAME.html]"
)
@click.option("--prompt", default="", help="Prompt of the samples.")
@click.option("--open", "opens", is_flag=True, help="Also open it in the browser.")
@options.models_dir
def report(
    model: str | None, output: str | None, prompt: str, opens: bool, models_dir: str | None
) -> None:
    """Write a page about a model: one HTML file that you can send.

    It shows how the model learned, how good it is and how certain that is, what it generates,
    what surprises it, which tokens it treats alike, and how to train it again. The page needs no
    network. It contains samples of the model, and passages of its validation part.
    """
    from textgen.report import write_report

    path = Path(output or f"{Catalog(models_dir).find(model).name}.html")
    write_report(
        model, path, models_dir, prompt=prompt, on_progress=lambda what: say(f"{what} ...")
    )
    say(visible(f"Saved in {path}"))
    if opens:
        webbrowser.open(path.resolve().as_uri())
