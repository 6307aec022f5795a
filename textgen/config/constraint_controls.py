"""The controls that say what a text must, or must not, contain, and their kinds."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

from textgen.checks import is_text
from textgen.config.controls import Control, Integer, Stage, Texts
from textgen.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patterns(Texts):
    """A control whose value is any number of regular expressions."""

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "a list of regular expressions"

    def checked(self, value: Any) -> Any:
        """Return the patterns as a tuple."""
        patterns = super().checked(value)
        for pattern in patterns:
            check_pattern(self.name, "regular expressions", pattern)
        return patterns


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text(Control):
    """A control whose value is one string."""

    dtype = "string"

    default: str | None = None

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "a non-empty string of Unicode text"

    def _fits(self, value: Any) -> bool:
        return is_text(value) and bool(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pattern(Text):
    """A control whose value is a regular expression."""

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "a regular expression"

    def checked(self, value: Any) -> Any:
        """Return the pattern."""
        pattern = super().checked(value)
        if pattern is not None:
            check_pattern(self.name, self.rule, pattern)
        return pattern


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schema(Text):
    """A control whose value is a JSON schema: JSON text, or an object that becomes it."""

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "a JSON schema, which is an object"

    def checked(self, value: Any) -> Any:
        """Return the schema as JSON text."""
        if isinstance(value, Mapping):
            try:
                value = json.dumps(value, ensure_ascii=False, allow_nan=False)
            except (TypeError, ValueError, RecursionError):
                self._check(False, self.rule, value)
        return super().checked(value)

    def _fits(self, value: Any) -> bool:
        return super()._fits(value) and _is_object(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Switch(Control):
    """A control that is on or off."""

    dtype = "bool"

    default: bool = False

    @property
    def rule(self) -> str:
        """The values it may have."""
        return "true or false"

    def _fits(self, value: Any) -> bool:
        return isinstance(value, bool)


def check_pattern(name: str, rule: str, pattern: str) -> None:
    """Raise a ConfigError that says what is wrong with a pattern, if something is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError) as error:
        fault = str(error)
    except RecursionError:
        fault = "it is nested too deeply"
    else:
        return
    raise ConfigError(f"{name} must be {rule} ({fault}). Received: {pattern!r}")


def _is_object(value: str) -> bool:
    try:
        return isinstance(json.loads(value, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        return False


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are no JSON


AVOID = Texts(
    stage=Stage.CONSTRAINT,
    help="Texts that never appear, not even if one begins in the prompt.",
)
AVOID_REGEX = Patterns(
    stage=Stage.CONSTRAINT,
    help="Patterns that match nothing in the text, not even if the match begins in the prompt.",
)
IGNORE_CASE = Switch(
    stage=Stage.CONSTRAINT,
    help="Avoid these texts and patterns in upper and lower case alike.",
)
REGEX = Pattern(
    stage=Stage.CONSTRAINT,
    help="A pattern that the text matches as a whole; the text ends when it is complete.",
)
JSON_SCHEMA = Schema(
    stage=Stage.CONSTRAINT,
    help="A JSON schema that the text is a value of; the text ends when it is complete.",
)
ACROSTIC = Text(
    stage=Stage.CONSTRAINT,
    help="A text that the first letters of the lines spell; spaces in it are ignored.",
)
NOVEL = Integer(
    default=None,
    low=10,
    high=100,
    stage=Stage.CONSTRAINT,
    help="Number of characters in a row that the text never copies from the model's corpus.",
)
