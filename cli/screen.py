"""Texts of models and writers, in front of readers and programs; and what else is said.

click.echo takes color codes out of what does not go to a terminal, and hands them on to
a terminal. A text is the other way round: a program wants all of it, and a reader wants to
see what is in it, without commands for the terminal.
"""

from __future__ import annotations

import contextlib
import re
import sys

import click

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def print_text(text: str, nl: bool = True) -> None:
    r"""Print a text, or a piece of it, to standard output.

    A file or a pipe gets it as it is; a terminal, with control characters other than line
    ends and tabs as escapes.

    Args:
        text: whole characters.
        nl: whether a line end follows.
    """
    click.echo(visible(text, keep="\n\t") if is_terminal() else text, nl=nl, color=True)


def say(message: str) -> None:
    """Tell on standard error how the work goes on.

    A log on a full disk, or a reader that went away, is no reason to end a run of hours.
    """
    with contextlib.suppress(OSError):
        click.echo(message, err=True)


def visible(text: str, keep: str = "") -> str:
    r"""Write control characters as escapes (`\n`, `\x1b`).

    Args:
        text: any text.
        keep: the control characters that stay.
    """
    return _CONTROLS.sub(lambda hit: hit[0] if hit[0] in keep else repr(hit[0])[1:-1], text)


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()
