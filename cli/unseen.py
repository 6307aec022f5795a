"""Warn about characters that a model has never seen, in prompts and in controls."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from textgen.cli.screen import say

if TYPE_CHECKING:
    from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
    from textgen.inference import TextGenerator

    Config = SamplingConfig | BeamSearchConfig | ContrastiveSearchConfig

_MAX_SHOWN = 8
_OPTIONS = {"stop": "--stop", "banned": "--ban", "logit_bias": "--logit-bias", "avoid": "--avoid"}


def warn_of_unseen(generator: TextGenerator, text: str) -> None:
    """Name the characters of `text` that the model has never seen, if there are any."""
    unseen = generator.unknown_characters(text)
    if unseen:
        shown = ", ".join(map(_describe, unseen[:_MAX_SHOWN]))
        more = f" and {len(unseen) - _MAX_SHOWN} more" if len(unseen) > _MAX_SHOWN else ""
        say(f"Warning: the model has never seen {shown}{more}.")


def warn_of_ineffective(generator: TextGenerator, config: Config) -> None:
    """Name the texts of options that can never act on what the model generates."""
    for name, text in generator.ineffective_controls(config):
        say(f"Warning: {_OPTIONS[name]} {text!r} has no effect, the model never generates it.")


def _describe(character: str) -> str:
    name = unicodedata.name(character, "")
    shown = character if character.isprintable() else ""
    return f"{shown!r} (U+{ord(character):04X}{' ' + name if name else ''})"
