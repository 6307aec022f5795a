"""`textgen export`: make a model small, check that a server can run it, and publish it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import say, visible

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
@click.option(
    "--with-index",
    is_flag=True,
    help="Write the model's next version, with an index of its corpus, so that --novel works on "
    "any server.",
)
@click.option(
    "--quantize",
    "precision",
    type=click.Choice(["int8", "bfloat16", "float16"]),
    help="Store the weights in fewer bits, in a new model such as NAME-int8, and export that.",
)
@click.option(
    "--prune",
    type=float,
    default=0.0,
    metavar="FRACTION",
    help="Leave out this fraction of the weights, the smallest ones of each matrix.",
)
@click.option(
    "--on",
    "texts",
    multiple=True,
    metavar="FILE",
    help="With --quantize or --prune: text to measure the loss on; may be repeated.  "
    "[default: the part of the corpus that the model was not trained on]",
)
@click.option(
    "--max-loss",
    type=float,
    default=0.02,
    show_default=True,
    help="With --quantize or --prune: maximum loss of quality, in bits per character.",
)
@options.models_dir
@click.pass_context
def export(
    ctx: click.Context,
    model: str | None,
    folder: str | None,
    check: bool,
    version: int | None,
    with_index: bool,
    precision: str | None,
    prune: float,
    texts: tuple[str, ...],
    max_loss: float,
    models_dir: str | None,
) -> None:
    """Publish a model to a server's folder, check that a server can run it, or make it small.

    With --check and --to, the model is published only if it passes. A server that watches
    DIR/NAME loads the new version, which appears there atomically.

    \b
    textgen export mine --quantize int8     a quarter of the size, as mine-int8
    textgen export mine --prune 0.3         without its smallest weights, as mine-pruned
    textgen export mine --check --to DIR
    """
    shrinks = precision is not None or prune != 0
    if folder is None and not (check or shrinks or with_index):
        raise click.UsageError(
            "textgen export needs --to, --check, --quantize, --prune or --with-index."
        )
    if texts and not shrinks:
        raise click.UsageError("--on needs --quantize or --prune.")
    entry = _find(Catalog(models_dir), model, version)
    if with_index:
        entry = _with_index(entry, models_dir)
    if shrinks:
        entry = _shrink(entry, precision, texts, models_dir, prune=prune, max_loss=max_loss)
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


def _with_index(entry: ModelEntry, models_dir: str | None) -> ModelEntry:
    """Write a model with an index of its corpus, and print what that costs."""
    from textgen.indexing import add_index

    entry = Catalog(models_dir).find(add_index(entry.path, models_dir))
    click.echo(visible(f"Written as {entry.path}"))
    if (table := entry.card.copy_table) is not None:
        click.echo(
            f"Its index has {table.num_bytes / 1e3:,.0f} kB, and mistakes "
            f"{table.false_positive_rate:.1%} of other passages for copies."
        )
    return entry


def _shrink(
    entry: ModelEntry,
    precision: str | None,
    texts: Sequence[str],
    models_dir: str | None,
    **settings: Any,
) -> ModelEntry:
    """Write a model that takes less space, and print what that saves and costs."""
    from textgen.shrinking import shrink

    shrunk = shrink(
        entry.path,
        precision,
        texts,
        models_dir,
        **settings,
        report=lambda phase: say(f"{phase.capitalize()} ..."),
    )
    click.echo(visible(f"Written as {shrunk.path}"))
    click.echo(visible(f"Measured on {shrunk.text}, {shrunk.num_characters:,} characters:"))
    before, after = shrunk.before, shrunk.after
    for label, old, new, form in (
        ("megabytes", before.num_bytes / 1e6, after.num_bytes / 1e6, ",.1f"),
        ("bits per character", before.bits_per_character, after.bits_per_character, ".3f"),
        ("tokens per second", before.tokens_per_second, after.tokens_per_second, ",.0f"),
    ):
        click.echo(f"  {label:<20}{old:>10{form}} -> {new:{form}}")
    return Catalog(models_dir).find(shrunk.path)


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
