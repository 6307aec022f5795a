"""Print texts for people and programs, and messages next to them.

click.echo removes color codes from what does not go to a terminal, and passes them on to a
terminal. A text needs the opposite: a program must get all of it, and a reader must see what
it contains without letting it control the terminal.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys

import click

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_text(text: str, nl: bool = True) -> None:
    r"""Print a text, or a chunk of it, to standard output.

    A file or a pipe gets the text unchanged. A terminal gets control characters other than
    line ends and tabs as escapes.

    Args:
        text: Whole characters.
        nl: Whether to end the line.
    """
    click.echo(visible(text, keep="\n\t") if is_terminal() else text, nl=nl, color=True)


class TextPrinter:
    """Prints a text that arrives in chunks; on a terminal, lines break between words."""

    def __init__(self) -> None:
        self._wrapper = None
        if is_terminal():
            from textgen.cli.wrap import WordWrapper

            self._wrapper = WordWrapper(shutil.get_terminal_size().columns)

    def print(self, chunk: str) -> None:
        """Print a chunk, or as much of it as is certain."""
        if self._wrapper is None:
            print_text(chunk, nl=False)
        else:
            print_text(self._wrapper.feed(visible(chunk, keep="\n\t")), nl=False)

    def end(self) -> None:
        """Print the rest, and end the line."""
        print_text("" if self._wrapper is None else self._wrapper.flush())


def say(message: str) -> None:
    """Print a message to standard error.

    A full disk or a closed pipe at the other end does not end a run of hours.
    """
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def visible(text: str, keep: str = "") -> str:
    r"""Replace control characters with escapes (`\n`, `\x1b`).

    Args:
        text: Any text.
        keep: Control characters to leave unchanged.
    """
    return _CONTROLS.sub(lambda hit: hit[0] if hit[0] in keep else repr(hit[0])[1:-1], text)


def is_terminal() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()
