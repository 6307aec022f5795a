"""What one element of a regular expression matches: a set of characters."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from textgen.constraints.characters import NUM_CODE_POINTS
from textgen.constraints.letter_case import case_variants
from textgen.constraints.regex_internals import codes, compile_runs

ANY = np.array([[0, NUM_CODE_POINTS]])
_FLAGS = re.IGNORECASE | re.ASCII | re.DOTALL | re.UNICODE


def character_set(code: Any, value: Any, flags: int) -> np.ndarray | None:
    """Return the characters that an element of a parsed pattern matches.

    Args:
        code: The element's kind.
        value: Its content.
        flags: Flags of `re` that hold for it.

    Returns:
        int64[R, 2], ranges of code points, each a first one and the one after the last; `None`
        if it matches something else than one character.
    """
    if code is codes.ANY:
        return ANY if flags & re.DOTALL else _complement(_ranges([ord("\n")]))
    if code in (codes.LITERAL, codes.NOT_LITERAL):
        is_folded = flags & re.IGNORECASE
        variants = case_variants(chr(value)) if is_folded else (chr(value),)
        found = _ranges(sorted(map(ord, variants)))
        return _complement(found) if code is codes.NOT_LITERAL else found
    if code is codes.IN:
        return _matched_by(tuple(value), flags & _FLAGS)
    return None


@functools.lru_cache(maxsize=256)
def _matched_by(members: tuple[Any, ...], flags: int) -> np.ndarray:
    """Ask `re` about every character there is; it takes a tenth of a second."""
    runs = compile_runs(members, flags)
    found = "".join(runs.findall(_all_characters())).encode("utf-32-le")
    return _ranges(np.frombuffer(found, "<i4"))


@functools.cache
def _all_characters() -> str:
    points = np.arange(NUM_CODE_POINTS, dtype="<u4")
    points[0xD800:0xE000] = 0xD7FF  # surrogates are no characters
    return points.tobytes().decode("utf-32-le")


def _ranges(points: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return ascending code points as ranges."""
    array = np.array(points, np.int64)
    is_first = np.diff(array, prepend=-2) > 1
    is_last = np.append(is_first[1:], len(array) > 0)
    return np.stack([array[is_first], array[is_last[: len(array)]] + 1], axis=1)


def _complement(ranges: np.ndarray) -> np.ndarray:
    edges = np.concatenate([[0], ranges.ravel(), [NUM_CODE_POINTS]])
    pairs = edges.reshape(-1, 2)
    return pairs[pairs[:, 0] < pairs[:, 1]]
