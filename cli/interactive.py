"""`textgen generate --interactive`: the model proposes, the user chooses.

Paragraph, proposals and questions go to standard error; the finished text goes to standard output
and, after every turn, to a file if one is named.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
from textgen.cli.escapes import unescape
from textgen.cli.line_input import LineInput
from textgen.cli.sampling import no_token_left
from textgen.cli.screen import print_text, visible
from textgen.cli.unseen import warn_of_unseen
from textgen.cli.wrap import WordWrapper

from textgen.config import SamplingConfig
from textgen.files import write_atomically

if TYPE_CHECKING:
    from textgen.inference import Generation, TextGenerator

_MAX_WORDS = 4
_MAX_TOKENS = 32
_HINT = "Accept a proposal by its number, or type what comes next. ? shows more."
_HELP = r"""  1       accepts proposal 1
  Enter   requests other proposals
  u       removes the last addition
  ?       shows this
  q       ends the session, as Ctrl-D does
Anything else is added to the text literally: start with a space for a new word;
\n is a line end, \t a tab, \\ a backslash; +q adds a q. The arrow keys recall
what you typed."""


def write_together(
    generator: TextGenerator,
    prompt: str,
    config: SamplingConfig,
    count: int,
    echo: bool,
    save: Path | None = None,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Let the model and the user continue a text in turns, then print it.

    Args:
        generator: The model.
        prompt: The text's beginning.
        config: How to sample.
        count: Number of proposals per turn.
        echo: Whether to print the prompt before the text.
        save: A file that has the whole text, the prompt included, after every turn.
        asked: Keywords of `TextGenerator.generate_batch`, such as the label of the text.

    Raises:
        click.exceptions.Exit: If Ctrl-C ended it.
        GenerationError: If the settings or a broken model exclude every token.
        OSError: If the file cannot be written.
    """
    parts: list[str] = []
    click.echo(_HINT, err=True)
    try:
        _take_turns(_Proposer(generator, config, count, asked), prompt, parts, save)
    except KeyboardInterrupt:
        click.echo(err=True)
        raise click.exceptions.Exit(130) from None
    finally:  # an error must not lose the text
        print_text((prompt if echo else "") + "".join(parts))


class _Proposer:
    """Proposes different continuations of a text at each call."""

    def __init__(
        self,
        generator: TextGenerator,
        config: SamplingConfig,
        count: int,
        asked: Mapping[str, Any],
    ) -> None:
        self.generator = generator
        self._asked = asked
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
        results = self.generator.generate_batch(
            [text] * 2 * self._count, self._config, **self._asked
        )
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


def _take_turns(proposer: _Proposer, prompt: str, parts: list[str], save: Path | None) -> None:
    """Append to `parts` what the user accepts and types, until `q` or the end of input."""
    lines = LineInput()
    proposals = _show(prompt, proposer)
    while (answer := lines.ask("> ")) not in (None, "q"):
        if answer in proposals:
            parts.append(proposals[answer])
        elif answer.isdecimal():
            click.echo(f"There is no proposal {answer}; +{answer} adds it to the text.", err=True)
            continue
        elif answer == "?":
            click.echo(_HELP, err=True)
            continue
        elif answer == "u":
            del parts[-1:]
        elif answer:
            parts.append(unescape(answer.removeprefix("+")))
            warn_of_unseen(proposer.generator, parts[-1])
        text = prompt + "".join(parts)
        if save is not None:
            write_atomically(save, text.encode())
        proposals = _show(text, proposer)


def _show(text: str, proposer: _Proposer) -> dict[str, str]:
    """Show the newest paragraph, and proposals for what comes next."""
    wrapper = WordWrapper(shutil.get_terminal_size().columns)
    paragraph = wrapper.feed(visible(text.rpartition("\n")[2])) + wrapper.flush()
    click.echo(f"\n{paragraph}", err=True)
    proposals = proposer.propose(text)
    for number, proposal in proposals.items():
        click.echo(f"{number:>3}|{visible(proposal)}", err=True)
    if not proposals:
        click.echo("The model proposes nothing: it would end the text here.", err=True)
    return proposals
