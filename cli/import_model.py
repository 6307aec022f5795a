"""`textgen import`: import a published model."""

from __future__ import annotations

import click
from textgen.cli import options
from textgen.cli.screen import say, visible


@click.command("import")
@click.argument("source")
@click.option("--name", help="Name of the model.  [default: the last part of SOURCE]")
@options.models_dir
def import_model(source: str, name: str | None, models_dir: str | None) -> None:
    """Import a published model from SOURCE.

    SOURCE is a Hugging Face folder, a KerasHub preset folder, a GGUF file, or an address:
    hf://OWNER/MODEL or kaggle://OWNER/MODEL/FRAMEWORK/VARIANT. Only addresses use the network.

    \b
    textgen import SmolLM2-135M-Instruct.Q4_1.gguf --name smollm2
    textgen generate -m smollm2 "Once upon a time"
    """
    from textgen.importing import import_model

    path = import_model(source, name, models_dir, report=report)
    click.echo(visible(f"Imported as {path}"))
    chosen = options.choosing(path.parent.name, models_dir)
    say(visible(f'Try it: textgen generate {chosen} "Once upon a time"'))


def report(phase: str) -> None:
    """Print the phase that begins."""
    say(f"{phase.capitalize()} ...")
