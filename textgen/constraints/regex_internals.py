"""Everything private of `re` that textgen uses: how it parses and compiles a pattern.

No other module may name a private part of it. tests/constraints/test_regex_internals.py says what
to do if a new Python has changed one.
"""

from __future__ import annotations

import re
import warnings
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as codes  # type: ignore[attr-defined]
from typing import Any

__all__ = ["codes", "compile_runs", "parse"]


def parse(pattern: str, flags: int) -> Any:
    """Return a pattern as `re` understands it: a sequence of pairs, what it is and its content.

    Args:
        pattern: A regular expression.
        flags: Flags of `re`.

    Returns:
        The pairs, which can be sliced; their first elements are in `codes`. The flags that hold,
        with those that the pattern sets itself, are `state.flags`.

    Raises:
        re.error: If it is not a regular expression.

    Example:
        >>> parse("a*", 0)[0][0] is codes.MAX_REPEAT
        True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _parser.parse(pattern, flags)


def compile_runs(members: tuple[Any, ...], flags: int) -> re.Pattern[str]:
    """Return a pattern that matches runs of characters of a set.

    Args:
        members: The content of a parsed `[...]`.
        flags: Flags of `re`.
    """
    state = _parser.State()
    state.str = repr(members)
    state.flags = flags if flags & re.ASCII else flags | re.UNICODE
    one = _parser.SubPattern(state, [(codes.IN, list(members))])
    runs = [(codes.MAX_REPEAT, (1, codes.MAXREPEAT, one))]
    return _compiler.compile(_parser.SubPattern(state, runs), flags)
