"""Read lines from a person, who can edit and recall them, or from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click


class LineInput:
    """Asks for one line after the other.

    On a terminal, a line can be edited, and the arrow keys recall earlier ones. Prompts go to
    standard error, so that standard output holds only the result.

    Example:
        >>> lines = LineInput()
        >>> while (line := lines.ask("> ")) is not None:
        ...     print(line)
    """

    def __init__(self) -> None:
        self._ask = _editor() if _is_terminal() else _ask_pipe

    def ask(self, prompt: str) -> str | None:
        """Return the next line without its end, or `None` at the end of input.

        Args:
            prompt: What to print before the line.

        Raises:
            KeyboardInterrupt: If Ctrl-C was pressed.
        """
        return self._ask(prompt)


def _is_terminal() -> bool:
    streams = (sys.stdin, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def _editor() -> Callable[[str], str | None]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory
    from prompt_toolkit.output import create_output

    session: PromptSession[str] = PromptSession(
        history=InMemoryHistory(), output=create_output(stdout=sys.stderr)
    )

    def ask(prompt: str) -> str | None:
        try:
            return session.prompt(prompt)
        except EOFError:  # Ctrl-D
            return None

    return ask


def _ask_pipe(prompt: str) -> str | None:
    click.echo(prompt, nl=False, err=True)
    answer = sys.stdin.buffer.readline() if sys.stdin is not None else b""
    if not answer:
        click.echo(err=True)
        return None
    return answer.decode("utf-8", errors="replace").rstrip("\r\n")
