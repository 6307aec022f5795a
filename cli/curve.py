"""`textgen curve`: the loss of a training run, drawn in the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import click
from textgen.cli import options
from textgen.cli.completion import complete_model
from textgen.cli.screen import visible

from textgen.catalog import Catalog
from textgen.errors import CheckpointError, ModelNotFoundError

_HEIGHT = 14
_AXIS = 8
_TRAINING, _VALIDATION = "·", "●"


@click.command()
@click.argument("model", metavar="[NAME]", required=False, shell_complete=complete_model)
@options.models_dir
def curve(model: str | None, models_dir: str | None) -> None:
    """Draw the loss of a model's newest training run, also while it trains."""
    from textgen.report import read_history
    from textgen.run import ModelRuns

    catalog = Catalog(models_dir)
    try:
        folder = catalog.find(model).path.parent
    except ModelNotFoundError:
        # A first run has no version yet.
        if model is None or not catalog.model_folder(model).is_dir():
            raise
        folder = catalog.model_folder(model)
    history = read_history(ModelRuns(folder).newest)
    if not history:
        raise CheckpointError(f"{folder.name} has no training run with a validation yet.")
    width = shutil.get_terminal_size().columns
    click.echo(visible(f"{folder.name}: loss in nats per token by step"))
    for line in draw_curve(history, min(width, 100)):
        click.echo(line)
    best = min(history, key=lambda record: record["validation_loss"])
    click.echo(
        f"{_TRAINING} training  {_VALIDATION} validation, best {best['validation_loss']:.3f} at "
        f"step {best['step']:,}"
    )


def draw_curve(history: Sequence[dict[str, Any]], width: int) -> list[str]:
    """Return the lines of a chart of the losses.

    Args:
        history: Records with `step`, `loss` and `validation_loss`; not empty.
        width: Columns of the terminal.
    """
    columns = max(width - _AXIS - 1, 10)
    losses = [record[key] for record in history for key in ("loss", "validation_loss")]
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0
    last = max(record["step"] for record in history) or 1
    grid = [[" "] * columns for _ in range(_HEIGHT)]
    for key, mark in (("loss", _TRAINING), ("validation_loss", _VALIDATION)):
        for record in history:
            row = round((high - record[key]) / span * (_HEIGHT - 1))
            grid[row][round(record["step"] / last * (columns - 1))] = mark
    lines = []
    for index, row in enumerate(grid):
        value = high - span * index / (_HEIGHT - 1)
        label = f"{value:.3f}" if index % 4 == 0 or index == _HEIGHT - 1 else ""
        lines.append(f"{label:>{_AXIS - 2}} │{''.join(row)}".rstrip())
    lines.append(" " * (_AXIS - 1) + "└" + "─" * columns)
    end = f"{last:,}"
    lines.append(" " * _AXIS + "0" + end.rjust(columns - 1))
    return lines
