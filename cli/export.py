"""`textgen export`: prove that a server can run a model, and publish it."""

from __future__ import annotations

import click
from textgen.cli import options
from textgen.cli.completion import complete_model

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError


@click.command()
@click.argument("model", metavar="[NAME_OR_PATH]", required=False, shell_complete=complete_model)
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Publish it as DIR/NAME/N, the next version there.",
)
@click.option("--check", is_flag=True, help="Prove that TensorFlow Serving can run it.")
@click.option("--version", type=click.IntRange(min=0), help="Which version.  [default: the newest]")
@options.models_dir
@click.pass_context
def export(
    ctx: click.Context,
    model: str | None,
    folder: str | None,
    check: bool,
    version: int | None,
    models_dir: str | None,
) -> None:
    """Publish a model to another server's folder, or prove that a server can run it.

    With both, it is published only if it passes. A server that watches DIR/NAME sees the
    version appear whole, and loads it.
    """
    if folder is None and not check:
        raise ConfigError("textgen export needs --to, --check, or both.")
    entry = _find(Catalog(models_dir), model, version)
    if check and not _passes(entry):
        ctx.exit(1)
    if folder is not None:
        from textgen.serving.tf_serving import publish

        click.echo(f"Published as {publish(entry, folder)}")


def _find(catalog: Catalog, model: str | None, version: int | None) -> ModelEntry:
    entry = catalog.find(model)
    if version is None or version == entry.version:
        return entry
    return catalog.find(entry.path.absolute().parent / str(version))


def _passes(entry: ModelEntry) -> bool:
    """Run all checks, showing each as soon as it is done."""
    from textgen.serving.checks import prove

    click.echo(f"Checking {entry.path}")
    failed = 0
    for result in prove(entry.path):
        failed += result.failure is not None
        click.echo(f"  {result.title}: {result.failure or 'ok'}")
    if failed:
        click.echo(f"{failed} failed.", err=True)
    return not failed
