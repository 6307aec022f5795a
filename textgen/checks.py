"""Rules for settings: each check raises `ConfigError` with the rule and what was received."""

from __future__ import annotations

import functools
import sys
import typing
from collections.abc import Hashable
from typing import Any

from textgen.errors import ConfigError
from textgen.unicode import lone_surrogate

INT32_END = 2**31


def is_int(value: object) -> bool:
    """Return whether a value is an integer; `True` and `False` are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether a value is a number that a float can hold."""
    # Not math.isfinite, which raises an error for integers too large for a float.
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max


def is_text(value: object) -> bool:
    """Return whether a value is a non-empty string of Unicode text."""
    return isinstance(value, str) and bool(value) and not lone_surrogate(value)


def check(condition: bool, rule: str, received: object) -> None:
    """Raise `ConfigError` if `condition` is false."""
    if not condition:
        raise ConfigError(f"{rule}. Received: {received!r}")


def check_positive_int(config: object, *names: str) -> None:
    """Check integers >= 1 that an int32 can hold."""
    for name in names:
        value = getattr(config, name)
        check(is_int(value) and value >= 1, f"{name} must be an integer >= 1", value)
        check(value < INT32_END, f"{name} must be less than {INT32_END}", value)


def check_int_in(name: str, value: Any, low: int, high: int) -> None:
    """Check that `value`, called `name`, is an integer in [`low`, `high`]."""
    fits = is_int(value) and low <= value <= high
    check(fits, f"{name} must be an integer in [{low}, {high}]", value)


def check_finite(config: object, name: str, low: float, *, above: bool = False) -> None:
    """Check a finite number >= `low`, or > `low` with `above`."""
    value = getattr(config, name)
    fits = is_number(value) and (low < value if above else low <= value)
    check(fits, f"{name} must be a finite number {'>' if above else '>='} {low:g}", value)


def choices(config: type, name: str) -> tuple[str, ...]:
    """Return the values that a setting may have, from its `Literal` type.

    Example:
        >>> choices(CorpusConfig, "normalize")
        ('none', 'nfc', 'nfkc')
    """
    return typing.get_args(_type_hints(typing.cast(Hashable, config))[name])


@functools.cache  # a plan checks thousands of configs
def _type_hints(config: Any) -> dict[str, Any]:
    return typing.get_type_hints(config)


def check_choice(config: Any, name: str) -> None:
    """Check that a value is one of the choices that the setting's type names."""
    value, allowed = getattr(config, name), choices(type(config), name)
    check(value in allowed, f"{name} must be one of {', '.join(allowed)}", value)
