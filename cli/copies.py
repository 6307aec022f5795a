"""What a text copies from the corpus of a model, on the terminal and as JSON."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
from textgen.cli.screen import is_terminal, visible

from textgen.catalog import ModelEntry
from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.originality import CorpusIndex, Place, Trace

_HELD_OUT_CHARACTERS = 20_000
_MAX_SHOWN = 20


class CopyPrinter:
    """Finds the copies in texts, and prints them.

    Args:
        entry: The model.
        min_characters: The length from which a passage counts.

    Attributes:
        entry: The model.

    Raises:
        CorpusError: If the training run of the model is gone.
    """

    def __init__(self, entry: ModelEntry, min_characters: int = 20) -> None:
        from textgen.inference.own_run import own_run
        from textgen.originality import RunIndex

        run = own_run(entry)
        if run is None:
            raise CorpusError(
                f"{entry.name}: the training run of this model is gone, so there is no text to "
                "compare with"
            )
        self.entry = entry
        self._corpus = RunIndex(run)
        self._min_characters = min_characters

    @cached_property
    def _index(self) -> CorpusIndex:
        return self._corpus.open()

    def find(self, text: str) -> Trace:
        """Find what a text copies."""
        from textgen.originality import trace

        return trace(self._index, text, self._min_characters)

    @cached_property
    def held_out(self) -> Trace:
        """What held-out text of the corpus shares with the rest."""
        return self.find(self._corpus.held_out(_HELD_OUT_CHARACTERS))

    def print(self, found: Trace, before: str = "") -> None:
        """Print a text with its copies marked, the longest ones with their lines, and a summary.

        Args:
            found: What the text copies.
            before: Text to print before it, without marks.
        """
        click.echo(_shown(before) + _marked(found, is_terminal()))
        click.echo()
        shown = sorted(found.passages, key=lambda each: -each.length)[:_MAX_SHOWN]
        places = self._corpus.places(map(found.quote, shown))
        for passage in shown:
            text = found.quote(passage)
            where = _where(places[text]) if text in places else f"line {passage.line:,}"
            click.echo(f"{passage.length} characters, {where}: {visible(repr(text))}")
        more = len(found.passages) - _MAX_SHOWN
        if more > 0:
            click.echo(f"and {more:,} shorter ones")
        self.sum_up("This text", found)

    def as_json(self, found: Trace) -> dict[str, object]:
        """Return what a text copies, for `--json`."""
        texts = [found.quote(passage) for passage in found.passages]
        places = self._corpus.places(texts)
        passages = []
        for passage, text in zip(found.passages, texts, strict=True):
            file, line = places.get(text, (None, None))
            passages.append({**passage._asdict(), "text": text, "file": file, "line_in_file": line})
        return {**figures_as_json(found), "passages": passages}

    def sum_up(self, name: str, found: Trace) -> None:
        """Print how much a text copies."""
        count = len(found.passages)
        passages = "1 passage" if count == 1 else f"{count:,} passages"
        click.echo(
            f"{name}: {found.fraction:.1%} of {len(found.text):,} characters are copied, in "
            f"{passages} of {self._min_characters} characters or more; the "
            f"longest has {found.longest:,}."
        )


def figures_as_json(found: Trace) -> dict[str, object]:
    """Return how much a text copies, for `--json`."""
    return {
        "num_characters": len(found.text),
        "fraction": found.fraction,
        "longest": found.longest,
    }


def _where(place: Place) -> str:
    """Return a file and a line, as editors take them."""
    file = Path(place.file)
    if file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    # File names are bytes, which need not be text.
    return f"{visible(os.fsencode(file).decode(errors='replace'))}:{place.line}"


def _marked(found: Trace, has_colors: bool) -> str:
    """Return the text with its copies underlined, or in brackets if there are no colors."""
    before, after = ("\x1b[4m", "\x1b[24m") if has_colors else ("⟦", "⟧")
    parts, place = [], 0
    for passage in found.passages:
        start = max(passage.start, place)
        copied = _shown(found.text[start : passage.end])
        parts += [_shown(found.text[place:start]), before, copied, after]
        place = passage.end
    return "".join([*parts, _shown(found.text[place:])])


def _shown(text: str) -> str:
    return visible(text, keep="\n\t")
