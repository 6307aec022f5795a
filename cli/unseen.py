"""Warn about characters that a model has never seen."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from textgen.cli.screen import say

if TYPE_CHECKING:
    from textgen.inference import TextGenerator

_MAX_SHOWN = 8


def warn_of_unseen(generator: TextGenerator, text: str) -> None:
    """Name the characters of `text` that the model has never seen, if there are any."""
    unseen = generator.unknown_characters(text)
    if unseen:
        shown = ", ".join(map(_describe, unseen[:_MAX_SHOWN]))
        more = f" and {len(unseen) - _MAX_SHOWN} more" if len(unseen) > _MAX_SHOWN else ""
        say(f"Warning: the model has never seen {shown}{more}.")


def _describe(character: str) -> str:
    name = unicodedata.name(character, "")
    shown = character if character.isprintable() else ""
    return f"{shown!r} (U+{ord(character):04X}{' ' + name if name else ''})"
