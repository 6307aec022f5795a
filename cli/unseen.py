"""Warn about what a model does not see of a prompt, or has never seen."""

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


def warn_of_long(generator: TextGenerator, prompt: str) -> None:
    """Say how much of a prompt the model sees, if it is longer than the context."""
    from textgen.models import registry

    shape = generator.card.model
    limit = shape.context_length - 1  # the first token marks the beginning
    text = generator.clean(prompt)
    # A token has at least one byte, so most prompts need not be encoded.
    if len(text.encode()) <= limit or registry.sees_all(shape.architecture):
        return
    ids = generator.tokenizer.encode(text)
    if len(ids) > limit:
        seen = len(generator.tokenizer.decode(ids[-limit:]))
        say(f"The model sees the last {seen:,} of the prompt's {len(text):,} characters.")


def warn_of_ineffective(generator: TextGenerator, config: Config) -> None:
    """Name the texts of options that have no effect, because the model never generates them."""
    for name, text in generator.ineffective_controls(config):
        say(f"Warning: {_OPTIONS[name]} {text!r} has no effect: the model never generates it.")


def _describe(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{' ' + name if name else ''})"
