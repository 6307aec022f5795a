"""`textgen trace`: mark what a text has copied from the corpus of a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from textgen.cli import options
from textgen.cli.screen import say, visible

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.originality import Trace

# What the model writes if there is no text, and how much held-out text is compared with it.
_NUM_TOKENS = 2_000
_HELD_OUT_CHARACTERS = 20_000
_MAX_SHOWN = 20


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

    FILE defaults to standard input, or to a text that the model writes. Held-out text of the same
    corpus is measured for comparison, because verse repeats itself without any copying. Line
    numbers are those of the part of the corpus that the model was trained on.
    """
    from textgen.evaluation.texts import own_run
    from textgen.originality import RunIndex
    from textgen.originality import trace as find_copies

    entry = Catalog(models_dir).find(model)
    run = own_run(entry)
    if run is None:
        raise CorpusError(
            f"{entry.name}: the run that trained this model is gone, and with it "
            "the text to compare with"
        )
    text = _text(entry, file)
    index = RunIndex(run)
    found = find_copies(index.open(), text, min_characters)
    held_out = find_copies(index.open(), index.held_out(_HELD_OUT_CHARACTERS), min_characters)
    if as_json:
        click.echo(json.dumps(_to_dict(entry, found, held_out), ensure_ascii=False))
        return
    click.echo(_marked(found, sys.stdout.isatty()))
    click.echo()
    for passage in sorted(found.passages, key=lambda each: -each.length)[:_MAX_SHOWN]:
        quoted = visible(repr(text[passage.start : passage.end]))
        click.echo(f"{passage.length} characters, line {passage.line:,}: {quoted}")
    more = len(found.passages) - _MAX_SHOWN
    if more > 0:
        click.echo(f"and {more:,} shorter ones")
    click.echo(_summary("This text", found, min_characters))
    if held_out.text:
        click.echo(_summary("Held-out text of the corpus", held_out, min_characters))


def _text(entry: ModelEntry, file: str | None) -> str:
    """Return the text to trace, cleaned as the corpus was."""
    if file is None and (sys.stdin is None or sys.stdin.isatty()):
        from textgen.inference import load

        say("The model writes a text of its own, with seed 0.")
        with load(str(entry.path)) as generator:
            return generator.generate(max_new_tokens=_NUM_TOKENS, seed=0).text
    from textgen.corpus import clean, decode_chunks
    from textgen.evaluation.texts import corpus_config

    is_stdin = file in (None, "-")
    content = sys.stdin.buffer.read() if is_stdin else Path(file or "").read_bytes()
    name = "standard input" if is_stdin else str(file)
    return clean("".join(decode_chunks([content], "utf-8", name)), corpus_config(entry))


def _marked(found: Trace, has_colors: bool) -> str:
    """Return the text with its copies underlined, or in brackets where nothing can be."""
    before, after = ("\x1b[4m", "\x1b[24m") if has_colors else ("⟦", "⟧")
    parts, place = [], 0
    for passage in found.passages:
        start = max(passage.start, place)
        copied = visible(found.text[start : passage.end])
        parts += [visible(found.text[place:start]), before, copied, after]
        place = passage.end
    return "".join([*parts, visible(found.text[place:])])


def _summary(name: str, found: Trace, min_characters: int) -> str:
    return (
        f"{name}: {found.fraction:.1%} of {len(found.text):,} characters are copied, in "
        f"{len(found.passages):,} passages of {min_characters} characters or more; the longest "
        f"has {found.longest:,}."
    )


def _to_dict(entry: ModelEntry, found: Trace, held_out: Trace) -> dict[str, object]:
    def figures(each: Trace) -> dict[str, object]:
        return {
            "num_characters": len(each.text),
            "fraction": each.fraction,
            "longest": each.longest,
        }

    passages = [
        {**passage._asdict(), "text": found.text[passage.start : passage.end]}
        for passage in found.passages
    ]
    return {
        "model": entry.name,
        **figures(found),
        "passages": passages,
        "held_out": figures(held_out),
    }
