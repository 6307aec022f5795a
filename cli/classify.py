"""`textgen classify`: find the label that texts fit best."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from textgen.cli import options
from textgen.cli.screen import visible

if TYPE_CHECKING:
    from textgen.evaluation.classify import Agreement, Classified

_SHOWN = 60


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@options.model
@click.option("--text-column", metavar="NAME", help="CSV column or JSON key of the text.")
@click.option(
    "--against",
    metavar="NAME",
    help="CSV column or JSON key of the true label, to count how often the model is right.",
)
@click.option("--against-files", is_flag=True, help="The name of each file is its true label.")
@options.as_json
@options.models_dir
def classify(
    files: tuple[str, ...],
    model: str | None,
    text_column: str | None,
    against: str | None,
    against_files: bool,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Find which of a model's labels the texts of FILE fit best.

    The model must have been trained with --label-column or --label-files. Every row of a table is
    a text; other files are split as the model's corpus was, or are a text each. With --against,
    prints accuracy, precision, recall, F1, and which labels are mistaken for which.
    """
    if against is not None and against_files:
        raise click.UsageError("--against cannot be combined with --against-files.")
    from textgen import evaluation

    texts = []
    for text in evaluation.classify(
        model,
        files,
        models_dir,
        text_column=text_column,
        against=against,
        against_files=against_files,
    ):
        if text.truth is not None:
            texts.append(text)
        elif as_json:
            click.echo(json.dumps(text.to_dict(), ensure_ascii=False))
        else:
            click.echo(_line(text))
    if texts:
        agreement = evaluation.agreement(texts)
        click.echo(json.dumps(agreement.to_dict()) if as_json else _table(agreement))


def _line(text: Classified) -> str:
    """Return a text's label, how probable it is, and the text's beginning."""
    beginning = " ".join(text.text.split())[:_SHOWN]
    probability = text.probabilities[text.label]
    return f"{visible(text.label)}\t{probability:.3f}\t{visible(beginning)}"


def _table(agreement: Agreement) -> str:
    """Return the figures of all labels, and the confusion table."""
    labels = [visible(label) for label in agreement.labels]
    width = max(9, *map(len, labels))
    figures = (agreement.precision, agreement.recall, agreement.f1, agreement.confusion.sum(1))
    accuracy = agreement.accuracy
    interval = "" if accuracy.low is None else f" ({accuracy.low:.3f} to {accuracy.high:.3f})"
    lines = [
        f"accuracy {accuracy.value:.3f}{interval}",
        "",
        f"{'label':<{width}}  precision  recall     F1  texts",
    ]
    for label, precision, recall, f1, count in zip(labels, *figures, strict=True):
        lines.append(f"{label:<{width}}  {precision:9.3f}  {recall:6.3f}  {f1:5.3f}  {count:5,d}")
    lines += ["", f"{'true':<{width}}  " + "  ".join(f"{label:>{width}}" for label in labels)]
    for label, row in zip(labels, agreement.confusion, strict=True):
        lines.append(f"{label:<{width}}  " + "  ".join(f"{count:>{width},d}" for count in row))
    return "\n".join(lines)
