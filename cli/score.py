"""`textgen score`: measure how likely a model finds texts."""

from __future__ import annotations

import json
import math
import signal
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.interrupt import on_interrupt
from textgen.cli.screen import say, visible
from textgen.cli.unseen import warn_of_unseen

from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.corpus import Source
    from textgen.inference import Score, TextGenerator

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
_ADAPTING_COLUMNS = (
    ("Chars", "num_characters", "11,d"),
    ("Tokens", "num_tokens", "11,d"),
    ("Bits/char", "bits_per_character", "9.3f"),
    ("Adapting", "adapting_bits_per_character", "8.3f"),
    ("Gain", "gain", "6.3f"),
    ("File", "file", ""),
)
_SUMS = ("num_characters", "num_bytes", "num_tokens", "logprob", "bits")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@options.model
@click.option("--encoding", default="utf-8", show_default=True, help="Text encoding of the files.")
@click.option(
    "--text-column",
    metavar="NAME",
    help="CSV column or JSON key of the text; each row is scored by itself.  [default: text]",
)
@click.option("--heat", is_flag=True, help="Print the text instead, surprising tokens in color.")
@click.option(
    "--adapt",
    is_flag=True,
    help="Also score with a copy of the model that learns from the text while it reads it.",
)
@options.as_json
@options.models_dir
def score(
    files: tuple[str, ...],
    model: str | None,
    encoding: str,
    text_column: str | None,
    heat: bool,
    adapt: bool,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Measure how likely a model finds the text of FILE, or of standard input.

    The better the model predicts the text, the closer its log-probability (natural logarithm)
    is to 0, and its perplexity to 1. Use bits per character to compare models, and bits per byte
    to compare languages, too. A folder or a glob names all files in it, and the rows of a table
    are added up.

    --adapt says how much each file itself teaches: the bits per character of a copy of the model
    that takes a step of training on every piece of the file after it has predicted it.
    """
    from textgen.corpus import find_files
    from textgen.inference import load

    if heat and (as_json or adapt):
        raise click.UsageError("--heat cannot be combined with --json or --adapt.")
    sources = find_files(files or ["-"], encoding=encoding)
    sums: dict[str, Any] = {}
    with load(model, models_dir) as generator:
        for index, source in enumerate(sources):
            if len(sources) > 1 and not as_json:
                _report(index + 1, len(sources))
            texts = _read(generator, source, encoding, text_column)
            scores, numbers = _score(generator, texts, adapt)
            row = {"model": generator.entry.name, "file": source.name, **numbers}
            for name in (*_SUMS, *(["adapting_bits"] if adapt else [])):
                sums[name] = sums.get(name, 0) + row[name]
            if heat:
                _print_heat(scores, titled=index == 0)
            elif as_json:
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                _print_row(row, titled=index == 0)
    if len(sources) > 1 and not as_json and not heat:
        _print_row({"file": f"total of {len(sources):,} files", **_rates(sums)}, titled=False)


def _read(
    generator: TextGenerator, source: Source, encoding: str, text_column: str | None
) -> list[str]:
    """Return the text of a file, or of each row of a table."""
    from textgen.corpus import Notices, read_rows, read_text

    notices = Notices()
    chunks = read_text(source, encoding, notices=notices)
    if source.format == "text":
        texts = ["".join(chunks)]
    else:
        texts = list(read_rows(chunks, source.format, text_column, source.name, notices=notices))
    notices.warn()
    texts = [text for text in texts if generator.clean(text)]
    if not texts:
        raise CorpusError(f"{source.name}: there is no text to score.")
    warn_of_unseen(generator, "".join(texts))
    return texts


def _score(
    generator: TextGenerator, texts: list[str], adapt: bool
) -> tuple[list[Score], dict[str, Any]]:
    """Return the score of each text, and what the file's row holds."""
    with on_interrupt(signal.SIG_DFL):
        if not adapt:
            scores = [generator.score(text) for text in texts]
            return scores, _rates(_sums(scores))
        from textgen.adaptation import score_adapting

        fixed, adapting = score_adapting(generator, texts, on_windows=_report)
    sums = {**_sums(fixed), "adapting_bits": sum(score.bits for score in adapting)}
    return fixed, _rates(sums)


def _sums(scores: list[Score]) -> dict[str, Any]:
    return {name: sum(getattr(score, name) for score in scores) for name in _SUMS}


def _rates(sums: dict[str, Any]) -> dict[str, Any]:
    """Return sums over texts with what they are per token, character and byte."""
    from textgen.metrics import perplexity

    rates = {
        "num_characters": sums["num_characters"],
        "num_bytes": sums["num_bytes"],
        "num_tokens": sums["num_tokens"],
        "logprob": sums["logprob"],
        "bits": sums["bits"],
        "perplexity": perplexity(-sums["logprob"] / max(sums["num_tokens"], 1)),
        "bits_per_character": sums["bits"] / max(sums["num_characters"], 1),
        "bits_per_byte": sums["bits"] / max(sums["num_bytes"], 1),
    }
    if "adapting_bits" in sums:
        adapting = sums["adapting_bits"] / max(sums["num_characters"], 1)
        rates |= {
            "adapting_bits": sums["adapting_bits"],
            "adapting_bits_per_character": adapting,
            "gain": rates["bits_per_character"] - adapting,
        }
    return rates


def _report(done: int, total: int) -> None:
    """Say on a terminal how many of several files, or of a file's windows, have come."""
    import sys

    if sys.stderr.isatty():
        click.echo(f"\r{done:,}/{total:,} ", err=True, nl=False)
        if done == total:
            click.echo("\r\x1b[K", err=True, nl=False)


def _print_heat(scores: list[Score], titled: bool) -> None:
    from textgen.cli.heat import heat, legend

    from textgen.evaluation import spell

    if titled:
        say(legend())
    for score in scores:
        texts = spell(score.tokenizer.pieces[token_id] for token_id in score.token_ids.tolist())
        bits = (-score.token_logprobs / math.log(2)).tolist()
        click.echo(heat(zip(texts, bits, strict=True)))


def _print_row(row: dict[str, Any], titled: bool) -> None:
    """Print a row of the table. The name comes last, because it may have any length."""
    columns = _ADAPTING_COLUMNS if "gain" in row else _COLUMNS
    cells = [format(row[key], form) for _, key, form in columns]
    if titled:
        titles = [title for title, _, _ in columns]
        widths = [*map(len, cells[:-1]), 0]
        click.echo("  ".join(map(str.rjust, titles, widths)))
    click.echo(visible("  ".join(cells)))
