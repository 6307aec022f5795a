"""`textgen generate --interactive`: the model proposes, the user chooses.

Proposals and questions go to standard error; the finished text goes to standard output.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from typing import TYPE_CHECKING

import click
from textgen.cli.escapes import unescape
from textgen.cli.sampling import no_token_left
from textgen.cli.screen import print_text, visible
from textgen.cli.unseen import warn_of_unseen

from textgen.config import SamplingConfig

if TYPE_CHECKING:
    from textgen.inference import Generation, TextGenerator

_MAX_WORDS = 4
_MAX_TOKENS = 32
_HELP = r"""A number accepts a proposal, Enter requests others, u undoes, q quits.
Anything else is added to the text literally: start with a space for a new
word; \n is a line end, \t a tab, \\ a backslash; +q adds a q."""


def write_together(
    generator: TextGenerator, prompt: str, config: SamplingConfig, count: int, echo: bool
) -> None:
    """Let the model and the user continue a text in turns, then print it.

    Args:
        generator: The model.
        prompt: The text's beginning.
        config: How to sample.
        count: Number of proposals per turn.
        echo: Whether to print the prompt before the text.

    Raises:
        click.exceptions.Exit: If Ctrl-C ended it.
        GenerationError: If the settings or a broken model exclude every token.
    """
    parts: list[str] = []
    click.echo(_HELP, err=True)
    try:
        _take_turns(_Proposer(generator, config, count), prompt, parts)
    except KeyboardInterrupt:
        click.echo(err=True)
        raise click.exceptions.Exit(130) from None
    finally:  # an error must not lose the text
        print_text((prompt if echo else "") + "".join(parts))


class _Proposer:
    """Proposes different continuations of a text at each call."""

    def __init__(self, generator: TextGenerator, config: SamplingConfig, count: int) -> None:
        self.generator = generator
        self._count = count
        self._config = dataclasses.replace(
            config,
            max_new_tokens=min(config.max_new_tokens, _MAX_TOKENS),
            min_new_tokens=min(config.min_new_tokens, config.max_new_tokens, _MAX_TOKENS),
            stop=("\n", *config.stop),
        )

    def propose(self, text: str) -> dict[str, str]:
        """Return different continuations, by number; none if the text ends here.

        Raises:
            GenerationError: If the settings exclude every token.
        """
        # Twice as many as needed, because some will be identical.
        results = self.generator.generate_batch([text] * 2 * self._count, self._config)
        if self._config.seed is not None:
            seed = (self._config.seed + len(results)) % 2**63
            self._config = dataclasses.replace(self._config, seed=seed)
        texts = dict.fromkeys(filter(None, map(_first_words, results)))
        if not texts and all(result.finish_reason == "error" for result in results):
            raise no_token_left()
        return {str(number): text for number, text in enumerate([*texts][: self._count], start=1)}


def _first_words(result: Generation) -> str:
    """Return the first complete words of a text, which ends with its line at the latest."""
    words = re.findall(r"\s*\S+|\s+$", result.text)
    if result.finish_reason != "stop" and len(words) > 1:
        words.pop()  # the last word may be incomplete
    return "".join(words[:_MAX_WORDS])


def _take_turns(proposer: _Proposer, prompt: str, parts: list[str]) -> None:
    """Append to `parts` what the user accepts and types, until `q` or the end of input."""
    proposals = _show(proposer.propose(prompt))
    while (answer := _ask(prompt + "".join(parts))) not in (None, "q"):
        if answer in proposals:
            parts.append(proposals[answer])
        elif answer.isdecimal():
            click.echo(f"There is no proposal {answer}; +{answer} adds it to the text.", err=True)
            continue
        elif answer == "u":
            del parts[-1:]
        elif answer:
            parts.append(unescape(answer.removeprefix("+")))
            warn_of_unseen(proposer.generator, parts[-1])
        proposals = _show(proposer.propose(prompt + "".join(parts)))


def _show(proposals: dict[str, str]) -> dict[str, str]:
    for number, text in proposals.items():
        click.echo(f"{number:>3}|{visible(text)}", err=True)
    if not proposals:
        click.echo("The model proposes nothing: it would end the text here.", err=True)
    return proposals


def _ask(text: str) -> str | None:
    """Show the end of the text and return the user's answer; `None` at the end of input."""
    line = visible(text.rpartition("\n")[2])
    width = shutil.get_terminal_size().columns // 2
    shown = line if len(line) <= width else "..." + line[-width:]
    click.echo(f"  > {shown}", nl=False, err=True)
    answer = sys.stdin.buffer.readline() if sys.stdin is not None else b""
    if not answer:
        click.echo(err=True)
        return None
    return answer.decode("utf-8", errors="replace").rstrip("\r\n")
