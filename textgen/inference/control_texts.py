"""The texts of controls: stop strings, and texts that are banned, biased or avoided."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

_FIELDS = ("stop", "banned", "logit_bias", "avoid")


def clean_controls(config: Any, clean: Callable[[str], str]) -> Any:
    """Return a config whose control texts are cleaned as prompts are.

    Args:
        config: A `SamplingConfig`, or a config of a search.
        clean: Cleans a text. Control texts of which nothing is left are dropped.

    Example:
        >>> clean_controls(SamplingConfig(stop=["The End"]), str.lower).stop
        ('the end',)
    """
    changes = {
        name: tuple(
            cleaned if isinstance(value, str) else (cleaned, *value[1:])
            for value, text in texts
            if (cleaned := clean(text))
        )
        for name, texts in _control_texts(config)
    }
    return dataclasses.replace(config, **changes)


def ineffective_controls(
    config: Any, clean: Callable[[str], str], unknown_characters: Callable[[str], list[str]]
) -> list[tuple[str, str]]:
    """Return the control texts that have no effect, each after the name of its setting.

    Nothing is left of them after cleaning, or the model lacks a character of a stop string or a
    text to avoid, or every character of a banned or biased text.

    Args:
        config: A `SamplingConfig`, or a config of a search.
        clean: Cleans a text.
        unknown_characters: Returns the characters of a cleaned text that the model lacks.
    """
    found = []
    for name, texts in _control_texts(config):
        for _, text in texts:
            cleaned = clean(text)
            unknown = set(unknown_characters(cleaned))
            known = set(cleaned) - unknown
            is_whole = name == "stop" or (name == "avoid" and not config.ignore_case)
            if not known or (is_whole and unknown):
                found.append((name, text))
    return found


def _control_texts(config: Any) -> Iterator[tuple[str, list[tuple[Any, str]]]]:
    """Yield each control that has texts: its name, and its values with the text of each."""
    for name in _FIELDS:
        values = getattr(config, name, ())
        if values:
            yield name, [(v, v if isinstance(v, str) else v[0]) for v in values]
