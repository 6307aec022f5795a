"""How a check ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from textgen.errors import TextgenError


class Result(NamedTuple):
    """How one check ended.

    Attributes:
        title: what holds if it passed.
        failure: what does not hold, or `None`.
    """

    title: str
    failure: str | None


class FlawError(Exception):
    """A check found something wrong."""


def expect(condition: bool, otherwise: str) -> None:
    """Raise a `FlawError` that says `otherwise` unless the condition holds."""
    if not condition:
        raise FlawError(otherwise)


def run_check(title: str, check: Callable[..., None], *subject: Any) -> Result:
    """Run a check, and make its error, of whatever damage it may be, a result."""
    try:
        check(*subject)
    except (FlawError, TextgenError, OSError, ValueError, LookupError, TypeError) as error:
        return Result(title, " ".join(str(error).split()) or type(error).__name__)
    return Result(title, None)
