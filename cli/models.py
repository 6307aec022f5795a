"""`textgen list`, `info`, `delete` and `rename`: the models on disk."""

from __future__ import annotations

import json

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import say, visible

from textgen.card import ModelCard
from textgen.card_parts import StorageSummary
from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ModelDamagedError
from textgen.models import registry
from textgen.numerals import whole_number

_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")


@click.command("list")
@click.option("--versions", is_flag=True, help="List every version, not only the newest.")
@options.as_json
@options.models_dir
def list_models(versions: bool, as_json: bool, models_dir: str | None) -> None:
    """List models, newest first."""
    catalog = Catalog(models_dir)
    rows = []
    entries = catalog.entries()
    if versions:
        entries = [version for entry in entries for version in catalog.versions(entry.name)]
    for entry in entries:
        try:
            rows.append(_summary(entry))
        except (ModelDamagedError, OSError) as error:
            say(visible(f"Warning: {error}"))
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        click.echo(
            f"There is no model in {catalog.folder} yet. Train one: textgen train corpus.txt"
        )
        return
    _print_table(rows)


@click.command()
@click.argument("model", metavar="[NAME_OR_PATH]", required=False, shell_complete=complete_model)
@options.as_json
@options.models_dir
def info(model: str | None, as_json: bool, models_dir: str | None) -> None:
    """Show what a model is, what it was trained on and how good it is.

    NAME is the newest version; NAME/1 is the first.
    """
    entry = Catalog(models_dir).find(model)
    card = entry.card
    if as_json:
        click.echo(json.dumps({"path": str(entry.path), **card.to_dict()}, ensure_ascii=False))
        return
    shape = card.model
    lines = {
        "Model": entry.name + (f", version {entry.version}" if entry.version else ""),
        "Folder": f"{entry.path} ({_size(entry.num_bytes)})",
        "Architecture": f"{shape.architecture}, {registry.describe(shape.to_dict())}",
        "Parameters": f"{card.num_parameters:,}"
        + (f", {_describe(card.storage)}" if card.storage else ""),
        "Tokenizer": f"{card.tokenizer.kind}, {card.tokenizer.vocab_size:,} tokens",
        **_origin(card),
        **_measured(entry),
        "Created": f"{card.created} with textgen {card.versions.textgen}, "
        f"TensorFlow {card.versions.tensorflow}",
    }
    for name, text in lines.items():
        click.echo(visible(f"{name + ':':<15}{text}"))


@click.command()
@click.argument("model", metavar="NAME[/VERSION]", shell_complete=complete_model)
@_yes
@options.models_dir
def delete(model: str, yes: bool, models_dir: str | None) -> None:
    """Delete a model with all versions and its training run, or one version.

    \b
    textgen delete mine
    textgen delete mine/1
    """
    from textgen.upkeep import delete_model, find_versions

    catalog = Catalog(models_dir)
    name, _, version = model.partition("/")
    number = whole_number(version)
    versions = find_versions(catalog, name, number)
    if not version:
        lost = f"all of {name}: " + (
            f"version {', '.join(map(str, sorted(versions)))} and the training run"
            if versions
            else "its training run, which has exported nothing yet"
        )
    elif number is None:
        raise click.UsageError(f"A version must be a number, as in {name}/1. Received: {model!r}")
    else:
        lost = f"version {number} of {name}"
    if not yes:
        click.confirm(visible(f"Delete {lost}?"), abort=True, err=True)
    delete_model(catalog, name, number)
    say(visible(f"Deleted {lost}."))


@click.command()
@click.argument("old", shell_complete=complete_model)
@click.argument("new")
@options.models_dir
def rename(old: str, new: str, models_dir: str | None) -> None:
    """Rename the model OLD to NEW, with its versions and its training run."""
    from textgen.upkeep import rename_model

    folder = rename_model(Catalog(models_dir), old, new)
    say(visible(f"{old} is now {new}. Its folder is {folder}"))


def _origin(card: ModelCard) -> dict[str, str]:
    """Return where a model comes from, how it was trained, and how good it is."""
    lines: dict[str, str] = {}
    if (published := card.published) is not None:
        license = published.license or "not named by the source"
        lines |= {"Imported from": published.source, "License": license}
    if (corpus := card.corpus) is not None:
        documents = f"{corpus.num_documents:,} documents, " if corpus.has_documents else ""
        lines["Trained on"] = (
            f"{corpus.description} ({documents}{corpus.num_characters:,} characters)"
        )
    for title, other in (("Began from", card.parent), ("Taught by", card.teacher)):
        if other is not None:
            version = "" if other.version is None else f", version {other.version}"
            license = "" if other.license is None else f" ({other.license})"
            lines[title] = f"{other.name}{version}{license}"
    if (training := card.training) is not None and card.steps is not None:
        lines["Training"] = (
            f"{card.steps:,} steps of {training.batch_size} windows with {training.optimizer}, "
            f"ended by {training.ended_by}"
        )
    storage = card.storage
    if storage is not None and storage.bits_per_character is not None:
        lines["Quality"] = (
            f"{storage.bits_per_character:.3f} bits per character on {storage.text}, "
            f"{storage.original_bits_per_character:.3f} with the original weights"
        )
    # What training measured is true of the weights before they were shrunk.
    quality, tested = ("Original", "Original test") if storage else ("Quality", "Tested")
    if card.validation_loss is not None:
        lines[quality] = (
            f"{'validation loss' if card.is_validated else 'loss on its own text'} "
            f"{card.validation_loss:.3f} nats per token, "
            f"{card.bits_per_character:.3f} bits per character, perplexity {card.perplexity:.5g}"
        )
    if card.test_loss is not None:
        lines[tested] = f"test loss {card.test_loss:.3f} nats per token"
    if (copies := card.copies) is not None:
        lines["Copies"] = (
            f"{copies.fraction:.1%} of {copies.num_characters:,} generated characters, the longest "
            f"{copies.longest:,}"
        )
        if copies.held_out_characters:
            lines["Copies"] += (
                f"; of held-out text {copies.held_out_fraction:.1%}, the longest "
                f"{copies.held_out_longest:,}"
            )
    return lines


def _describe(storage: StorageSummary) -> str:
    """Return how weights are stored, in a few words."""
    pruned = "" if storage.pruned is None else f", {storage.pruned:.0%} of each matrix pruned"
    return f"stored as {storage.precision}{pruned}"


def _measured(entry: ModelEntry) -> dict[str, str]:
    """Return what `textgen evaluate --save` measured last."""
    from textgen.evaluation import read_evaluations

    saved = read_evaluations(entry)
    if not saved:
        return {}
    figure = saved[-1].bits_per_character
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return {
        "Evaluated": f"{figure.value:.3f} bits per character{interval} on {saved[-1].text}, "
        f"{saved[-1].created}"
    }


def _summary(entry: ModelEntry) -> dict[str, object]:
    card = entry.card
    return {
        "name": entry.name,
        "version": entry.version,
        "architecture": card.model.architecture,
        "num_parameters": card.num_parameters,
        "corpus": card.origin,
        "bits_per_character": card.own_bits_per_character,
        "is_validated": card.is_validated,
        "num_bytes": entry.num_bytes,
        "created": card.created,
    }


def _print_table(rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Names and descriptions are printed literally, including "[draft]" and ":smile:".
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 10_000  # A program that reads a pipe needs one line per row.
    columns = {
        "Name": [row["name"] for row in rows],
        "Version": [str(row["version"] or "") for row in rows],
        "Model": [row["architecture"] for row in rows],
        "Parameters": [f"{row['num_parameters']:,}" for row in rows],
        "Bits/char": [_bits(row) for row in rows],
        "Size": [_size(row["num_bytes"]) for row in rows],
        "Trained on": [row["corpus"] for row in rows],
    }
    columns = {title: [*map(visible, cells)] for title, cells in columns.items()}
    folded = {"Name": 12, "Trained on": 12}  # These may wrap within this width.
    for title in ("Trained on", "Parameters", "Size", "Version", "Model"):
        widths = [
            min(max(map(len, [name, *cells])), folded.get(name, console.width))
            for name, cells in columns.items()
        ]
        if sum(widths) + 2 * len(widths) <= console.width:
            break
        del columns[title]
    table = Table(box=None, pad_edge=False)
    for title in columns:
        is_text = title in ("Name", "Model", "Trained on")
        table.add_column(title, justify="left" if is_text else "right", overflow="fold")
    for cells in zip(*columns.values(), strict=True):
        table.add_row(*cells)
    console.print(table)
    if not all(row["is_validated"] for row in rows):
        say("* measured on the training text, because nothing was kept for validation.")


def _bits(row: dict) -> str:
    """Return the bits per character, with a star if the model was judged by its own text."""
    bits = row["bits_per_character"]
    return "" if bits is None else f"{bits:.3f}" + ("" if row["is_validated"] else "*")


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
