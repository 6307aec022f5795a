"""`textgen list` and `textgen info`: the models on disk, their size and quality."""

from __future__ import annotations

import json

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import say, visible

from textgen.card import ModelCard
from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ModelDamagedError
from textgen.models import registry


@click.command("list")
@options.as_json
@options.models_dir
def list_models(as_json: bool, models_dir: str | None) -> None:
    """List models, newest first."""
    catalog = Catalog(models_dir)
    rows = []
    for entry in catalog.entries():
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
    """Show what a model is, what it was trained on and how good it is."""
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
        "Parameters": f"{card.num_parameters:,}",
        "Tokenizer": f"{card.tokenizer.kind}, {card.tokenizer.vocab_size:,} tokens",
        **_origin(card),
        "Created": f"{card.created} with textgen {card.versions.textgen}, "
        f"TensorFlow {card.versions.tensorflow}",
    }
    for name, text in lines.items():
        click.echo(visible(f"{name + ':':<15}{text}"))


def _origin(card: ModelCard) -> dict[str, str]:
    """Return where a model comes from, and what its training says of it."""
    lines: dict[str, str] = {}
    if (published := card.published) is not None:
        license = published.license or "not named by the source"
        lines |= {"Imported from": published.source, "License": license}
    if (corpus := card.corpus) is not None:
        documents = f"{corpus.num_documents:,} documents, " if corpus.has_documents else ""
        lines["Trained on"] = (
            f"{corpus.description} ({documents}{corpus.num_characters:,} characters)"
        )
    if (training := card.training) is not None and card.steps is not None:
        lines["Training"] = (
            f"{card.steps:,} steps of {training.batch_size} windows with {training.optimizer}, "
            f"ended by {training.ended_by}"
        )
    if card.validation_loss is not None:
        lines["Quality"] = (
            f"validation loss {card.validation_loss:.3f} nats per token, "
            f"{card.bits_per_character:.3f} bits per character, perplexity {card.perplexity:.5g}"
        )
    return lines


def _summary(entry: ModelEntry) -> dict[str, object]:
    card = entry.card
    return {
        "name": entry.name,
        "version": entry.version,
        "architecture": card.model.architecture,
        "num_parameters": card.num_parameters,
        "corpus": card.origin,
        "bits_per_character": card.bits_per_character,
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
        "Name": [visible(row["name"]) for row in rows],
        "Version": [str(row["version"] or "") for row in rows],
        "Model": [row["architecture"] for row in rows],
        "Parameters": [f"{row['num_parameters']:,}" for row in rows],
        "Bits/char": [_bits(row["bits_per_character"]) for row in rows],
        "Size": [_size(row["num_bytes"]) for row in rows],
        "Trained on": [visible(row["corpus"]) for row in rows],
    }
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


def _bits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
