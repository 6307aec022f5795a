"""What a text copies from the corpus of a model, on the terminal and as JSON."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click
from textgen.cli.screen import is_terminal, visible

from textgen.catalog import ModelEntry
from textgen.errors import CorpusError

if TYPE_CHECKING:
    from textgen.originality import CorpusIndex, Trace

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
                f"{entry.name}: the run that trained this model is gone, and with it "
                "the text to compare with"
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
        """What held-out text of the corpus has in common with the rest."""
        return self.find(self._corpus.held_out(_HELD_OUT_CHARACTERS))

    def print(self, found: Trace, before: str = "") -> None:
        """Print a text with its copies marked, the longest ones with their lines, and a summary.

        Args:
            found: What the text copies.
            before: What stands before the text and is not marked.
        """
        click.echo(_shown(before) + _marked(found, is_terminal()))
        click.echo()
        for passage in sorted(found.passages, key=lambda each: -each.length)[:_MAX_SHOWN]:
            quoted = visible(repr(found.text[passage.start : passage.end]))
            click.echo(f"{passage.length} characters, line {passage.line:,}: {quoted}")
        more = len(found.passages) - _MAX_SHOWN
        if more > 0:
            click.echo(f"and {more:,} shorter ones")
        self.sum_up("This text", found)

    def sum_up(self, name: str, found: Trace) -> None:
        """Print how much a text copies."""
        count = len(found.passages)
        passages = "1 passage" if count == 1 else f"{count:,} passages"
        click.echo(
            f"{name}: {found.fraction:.1%} of {len(found.text):,} characters are copied, in "
            f"{passages} of {self._min_characters} characters or more; the "
            f"longest has {found.longest:,}."
        )


def copies_as_json(found: Trace) -> dict[str, object]:
    """Return what a text copies, for `--json`."""
    passages = [
        {**passage._asdict(), "text": found.text[passage.start : passage.end]}
        for passage in found.passages
    ]
    return {**figures_as_json(found), "passages": passages}


def figures_as_json(found: Trace) -> dict[str, object]:
    """Return how much a text copies, for `--json`."""
    return {
        "num_characters": len(found.text),
        "fraction": found.fraction,
        "longest": found.longest,
    }


def _marked(found: Trace, has_colors: bool) -> str:
    """Return the text with its copies underlined, or in brackets where nothing can be."""
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
