"""`textgen score`: measure how likely a model finds texts."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.interrupt import on_interrupt
from textgen.cli.screen import visible
from textgen.cli.unseen import warn_of_unseen

from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.inference import Score

# The table's columns: title, key of the row, and format. The widths are fixed, for texts up to
# a few hundred million characters, because each row is printed before the next is known.
_COLUMNS = (
    ("Chars", "num_characters", "11,d"),
    ("Tokens", "num_tokens", "11,d"),
    ("Logprob", "logprob", "14,.1f"),
    ("Perplexity", "perplexity", "10,.3f"),
    ("Bits/char", "bits_per_character", "9.3f"),
    ("Bits/byte", "bits_per_byte", "9.3f"),
    ("File", "file", ""),
)


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@options.model
@click.option("--encoding", default="utf-8", show_default=True, help="Text encoding of the files.")
@options.as_json
@options.models_dir
def score(
    files: tuple[str, ...],
    model: str | None,
    encoding: str,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Measure how likely a model finds the text of FILE, or of standard input.

    The better the model predicts the text, the closer its log-probability (natural logarithm)
    is to 0, and its perplexity to 1. Bits per character compare across models, bits per byte
    across languages too. Folders and globs stand for the files in them.
    """
    from textgen.corpus import Notices, find_files, read_text
    from textgen.inference import load

    sources = find_files(files or ["-"], encoding=encoding)
    with load(model, models_dir) as generator:
        for index, source in enumerate(sources):
            notices = Notices()
            text = "".join(read_text(source, encoding, notices=notices))
            notices.warn()
            if not generator.clean(text):
                raise CorpusError(f"{source.name}: there is no text to score.")
            warn_of_unseen(generator, text)
            with on_interrupt(signal.SIG_DFL):
                scored = generator.score(text)
            row = {"model": generator.entry.name, "file": source.name, **_numbers(scored)}
            if as_json:
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                _print_row(row, titled=index == 0)


def _numbers(score: Score) -> dict[str, Any]:
    names = "num_characters num_bytes num_tokens logprob perplexity bits_per_character"
    return {name: getattr(score, name) for name in [*names.split(), "bits_per_byte"]}


def _print_row(row: dict[str, Any], titled: bool) -> None:
    """Print a row of the table. The name comes last, because it may have any length."""
    cells = [format(row[key], form) for _, key, form in _COLUMNS]
    if titled:
        titles = [title for title, _, _ in _COLUMNS]
        widths = [*map(len, cells[:-1]), 0]
        click.echo("  ".join(map(str.rjust, titles, widths)))
    click.echo(visible("  ".join(cells)))
