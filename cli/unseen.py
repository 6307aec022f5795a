"""The warning about characters that a model has never seen."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from textgen.inference import TextGenerator

_SHOWN = 8


def warn_of_unseen(generator: TextGenerator, text: str) -> None:
    """Name the characters of `text` that the model has never seen, if there are any."""
    unseen = generator.unknown_characters(text)
    if unseen:
        shown = ", ".join(map(_describe, unseen[:_SHOWN]))
        more = f" and {len(unseen) - _SHOWN} more" if len(unseen) > _SHOWN else ""
        click.echo(f"Warning: the model has never seen {shown}{more}.", err=True)


def _describe(character: str) -> str:
    name = unicodedata.name(character, "")
    shown = character if character.isprintable() else ""
    return f"{shown!r} (U+{ord(character):04X}{' ' + name if name else ''})"
