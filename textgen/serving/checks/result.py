"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from textgen.errors import TextgenError


class Result(NamedTuple):
    """The result of one check.

    Attributes:
        title: What is true if the check passed.
        failure: What is wrong, or `None` if the check passed.
    """

    title: str
    failure: str | None


class FlawError(Exception):
    """A check found something wrong."""


def expect(condition: bool, otherwise: str) -> None:
    """Raise `FlawError` with the message `otherwise` if a condition is false."""
    if not condition:
        raise FlawError(otherwise)


def run_check(title: str, check: Callable[..., None], *subject: Any) -> Result:
    """Run a check and return its result; errors that damage can cause are failures."""
    try:
        check(*subject)
    except (FlawError, TextgenError, OSError, ValueError, LookupError, TypeError) as error:
        return Result(title, " ".join(str(error).split()) or type(error).__name__)
    return Result(title, None)
