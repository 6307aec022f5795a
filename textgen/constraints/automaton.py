"""A deterministic automaton over bytes, the one form of every constraint."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from textgen.errors import ConfigError

# No transition: the text so far cannot be part of a valid one.
DEAD = -1
# More states would be a megabyte for a request, and seconds to build.
MAX_STATES = 50_000


class End(enum.IntEnum):
    """What the end of a text in some state means. The numbers are those of the encoding.

    Members:
        FREE: The text may end, but nothing says that it should.
        FORBIDDEN: The text must continue.
        COMPLETE: The text is complete: it ends as soon as the model would leave the automaton.
    """

    FREE = 0
    FORBIDDEN = 1
    COMPLETE = 2


class Automaton(NamedTuple):
    """States and the transitions between them. State 0 is the start.

    Attributes:
        table: int32[S, 256], the next state for every byte; `DEAD` if there is none.
        ends: int32[S], an `End` per state.
    """

    table: np.ndarray
    ends: np.ndarray

    def run(self, text: bytes, state: int = 0) -> int:
        """Return the state after a text, or `DEAD`.

        Example:
            >>> avoid_phrases(["glint"]).run(b"eyes glint") == DEAD
            True
        """
        for byte in text:
            if state == DEAD:
                break
            state = int(self.table[state, byte])
        return state

    def run_end(self, text: bytes) -> int:
        """Return the state after the longest end of a text that the automaton survives."""
        for start in range(len(text)):
            state = self.run(text[start:])
            if state != DEAD:
                return state
        return 0


def intersect(first: Automaton, second: Automaton, start: tuple[int, int]) -> Automaton:
    """Return the automaton of the texts that both accept.

    Args:
        first: An automaton.
        second: Another one.
        start: The states in which they begin.

    Raises:
        ConfigError: If it has too many states.
    """
    width = len(second.table)
    numbers = {start[0] * width + start[1]: 0}
    pairs, tables = [np.array([start[0] * width + start[1]])], []
    while len(pairs[-1]):
        left, right = np.divmod(pairs[-1], width)
        after = np.stack([first.table[left], second.table[right]]).astype(np.int64)
        keys = np.where((after == DEAD).any(0), DEAD, after[0] * width + after[1])
        found = [key for key in np.unique(keys).tolist() if key != DEAD and key not in numbers]
        check_size(len(numbers) + len(found))
        numbers.update(zip(found, range(len(numbers), len(numbers) + len(found)), strict=True))
        tables.append(keys)
        pairs.append(np.array(found, np.int64))
    known = np.array(sorted(numbers), np.int64)
    order = np.array([numbers[key] for key in known.tolist()], np.int32)
    keys = np.concatenate(tables)
    table = np.where(keys == DEAD, DEAD, order[np.searchsorted(known, np.maximum(keys, known[0]))])
    left, right = np.divmod(np.concatenate(pairs), width)
    return Automaton(table.astype(np.int32), _joint_ends(first.ends[left], second.ends[right]))


def _joint_ends(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    is_forbidden = (first == End.FORBIDDEN) | (second == End.FORBIDDEN)
    return np.where(is_forbidden, End.FORBIDDEN, np.maximum(first, second)).astype(np.int32)


def check_size(num_states: int) -> None:
    """Check that an automaton is not too large.

    Raises:
        ConfigError: If it is.
    """
    if num_states > MAX_STATES:
        raise ConfigError(
            "The texts and patterns that a text must, or must not, contain must be shorter or "
            f"fewer. Received: more than {MAX_STATES} states of their automaton"
        )
