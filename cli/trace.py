"""`textgen trace`: mark what a text has copied from the corpus of a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from textgen.cli import options
from textgen.cli.copies import CopyPrinter, figures_as_json
from textgen.cli.screen import say

from textgen.catalog import Catalog, ModelEntry

# The length of the text that the model generates if there is none.
_NUM_TOKENS = 2_000


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@options.model
@click.option(
    "--min-characters",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Length from which a passage counts as copied.",
)
@options.as_json
@options.models_dir
def trace(
    file: str | None,
    model: str | None,
    min_characters: int,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Mark every passage of FILE that is also in a model's corpus.

    FILE defaults to standard input, or to a text that the model generates. Held-out text of the
    same corpus is measured for comparison, because a corpus such as verse repeats itself anyway.
    The longest copies are listed with their file and line. If the file is gone or has changed,
    they are listed with their line in the text that the model was trained on.
    """
    copies = CopyPrinter(Catalog(models_dir).find(model), min_characters)
    found = copies.find(_text(copies.entry, file))
    if as_json:
        held_out = figures_as_json(copies.held_out)
        row = {"model": copies.entry.name, **copies.as_json(found), "held_out": held_out}
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    copies.print(found)
    if copies.held_out.text:
        copies.sum_up("Held-out text of the corpus", copies.held_out)


def _text(entry: ModelEntry, file: str | None) -> str:
    """Return the text to trace, cleaned as the corpus was."""
    if file is None and (sys.stdin is None or sys.stdin.isatty()):
        from textgen.inference import load

        say("The model generates a text, with seed 0.")
        with load(str(entry.path)) as generator:
            return generator.generate(max_new_tokens=_NUM_TOKENS, seed=0, raw=True).text
    from textgen.corpus import clean, decode_chunks
    from textgen.evaluation.texts import corpus_config

    is_stdin = file in (None, "-")
    content = sys.stdin.buffer.read() if is_stdin else Path(file or "").read_bytes()
    name = "standard input" if is_stdin else str(file)
    return clean("".join(decode_chunks([content], "utf-8", name)), corpus_config(entry))
