"""`textgen export`: check that a server can run a model, and publish it."""

from __future__ import annotations

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import visible

from textgen.catalog import Catalog, ModelEntry


@click.command()
@click.argument("model", metavar="[NAME_OR_PATH]", required=False, shell_complete=complete_model)
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Publish the model as DIR/NAME/N, where N is the next free version.",
)
@click.option(
    "--check", is_flag=True, help="Check that a stock TensorFlow Serving can run the model."
)
@click.option(
    "--version",
    type=click.IntRange(min=0),
    help="Version of the model.  [default: the newest version]",
)
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
    """Publish a model to a server's folder, or check that a server can run it.

    With both, the model is published only if it passes. A server that watches DIR/NAME loads
    the new version, which appears there atomically.
    """
    if folder is None and not check:
        raise click.UsageError("textgen export needs --to, --check, or both.")
    entry = _find(Catalog(models_dir), model, version)
    if check and not _passes(entry):
        ctx.exit(1)
    if folder is not None:
        from textgen.serving.tf_serving import publish

        click.echo(visible(f"Published as {publish(entry, folder)}"))


def _find(catalog: Catalog, model: str | None, version: int | None) -> ModelEntry:
    entry = catalog.find(model)
    if version is None or version == entry.version:
        return entry
    return catalog.find(entry.path.absolute().parent / str(version))


def _passes(entry: ModelEntry) -> bool:
    """Run all checks, and print each result as soon as it is known."""
    from textgen.serving.checks import prove

    click.echo(visible(f"Checking {entry.path}"))
    failed = 0
    for result in prove(entry.path):
        failed += result.failure is not None
        click.echo(visible(f"  {result.title}: {result.failure or 'ok'}"))
    if failed:
        click.echo(f"{failed} failed.", err=True)
    return not failed
