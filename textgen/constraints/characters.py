"""Classes of characters, and an automaton over these as one over UTF-8 bytes."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from textgen.constraints.automaton import DEAD, Automaton, End, check_size

NUM_CODE_POINTS = 0x110000
_SURROGATES = (0xD800, 0xE000)
# The lowest code point with one, two, three and four bytes in UTF-8.
_LOWEST = (0, 0x80, 0x800, 0x10000)
# Lead bytes: the byte, the code point whose other bits are 0, and how many bytes follow.
_LEADS = (
    *((lead, (lead & 0x1F) << 6, 1) for lead in range(0xC2, 0xE0)),
    *((lead, (lead & 0x0F) << 12, 2) for lead in range(0xE0, 0xF0)),
    *((lead, (lead & 0x07) << 18, 3) for lead in range(0xF0, 0xF5)),
)


class Partition:
    """The characters, cut into classes whose members are in the same sets.

    Args:
        sets: Sets of characters: int64[R, 2], the ranges of a set, each a first code point and
            the one after the last.

    Attributes:
        members: bool[K, N], which of the N sets hold the characters of each of the K classes.
    """

    def __init__(self, sets: Sequence[np.ndarray]) -> None:
        edges = [*_LOWEST, *_SURROGATES, NUM_CODE_POINTS]
        self._starts = np.unique(np.concatenate([edges, *(each.ravel() for each in sets)]))
        held = [np.searchsorted(each.ravel(), self._starts, side="right") % 2 == 1 for each in sets]
        self.members, classes = np.unique(np.stack(held, 1), axis=0, return_inverse=True)
        # UTF-8 has no surrogates, and nothing after the last code point.
        is_none = (self._starts >= _SURROGATES[0]) & (self._starts < _SURROGATES[1])
        is_none |= self._starts >= NUM_CODE_POINTS
        self._classes = np.where(is_none, len(self.members), classes.reshape(-1))

    def over_bytes(self, table: np.ndarray, ends: np.ndarray, invalid: int = DEAD) -> Automaton:
        """Return the automaton over bytes that equals one over classes of characters.

        Args:
            table: int32[S, K], the next state for every class; `DEAD` if there is none.
            ends: int32[S], an `End` per state. A text must not end within a character, unless it
                is free to end before it.
            invalid: The next state for bytes that are no UTF-8.

        Raises:
            ConfigError: If it has too many states.
        """
        builder = _ByteStates(self._starts, len(table), invalid)
        table = np.pad(table, [(0, 0), (0, 1)], constant_values=invalid)
        for state, row in enumerate(table):
            end = End.FREE if ends[state] == End.FREE else End.FORBIDDEN
            builder.add(state, row[self._classes], int(end))
        inner = np.array(builder.ends, np.int32)
        return Automaton(np.stack(builder.rows), np.concatenate([ends, inner]).astype(np.int32))


class _Runs(NamedTuple):
    """Neighboring characters with the same next state."""

    starts: list[float]  # the first code point of each run, then infinity
    targets: list[int]


class _ByteStates:
    """States over bytes: those over characters, then those within a character.

    Args:
        starts: int64[I], the first code points of intervals.
        num_states: States over characters.
        invalid: The next state for bytes that are no UTF-8.
    """

    def __init__(self, starts: np.ndarray, num_states: int, invalid: int) -> None:
        self._starts = starts
        self._invalid = invalid
        self._numbers: dict[bytes, int] = {}
        self._uniform: dict[tuple[int, int, int], int] = {}
        self.rows: list[np.ndarray] = [np.zeros(0, np.int32)] * num_states
        self.ends: list[int] = []

    def add(self, state: int, targets: np.ndarray, end: int) -> None:
        """Set the transitions of a state.

        Args:
            state: Its number.
            targets: int32[I], the next state for the characters of each interval.
            end: The `End` of states within a character.
        """
        runs = [self._runs(np.where(self._starts < low, self._invalid, targets)) for low in _LOWEST]
        row = self._empty()
        for value in range(0x80):
            row[value] = self._block(runs[0], end, value, 0)
        for lead, first, depth in _LEADS:
            row[lead] = self._block(runs[depth], end, first, depth)
        self.rows[state] = row

    def _runs(self, targets: np.ndarray) -> _Runs:
        """Join neighboring intervals with the same target."""
        is_first = np.append(True, targets[1:] != targets[:-1])
        starts = [*self._starts[is_first].tolist(), np.inf]
        return _Runs(starts, targets[is_first].tolist())

    def _block(self, runs: _Runs, end: int, first: int, depth: int) -> int:
        """The state before the last `depth` bytes of the 64 ** depth characters from `first`."""
        index = bisect.bisect_right(runs.starts, first) - 1
        target = runs.targets[index]
        is_uniform = runs.starts[index + 1] >= first + 64**depth
        if depth == 0 or (is_uniform and target == self._invalid):
            return target
        key = (target, end, depth)
        if is_uniform and key in self._uniform:
            return self._uniform[key]
        row = self._empty()
        for place in range(64):
            part = first + place * 64 ** (depth - 1)
            row[0x80 + place] = self._block(runs, end, part, depth - 1)
        number = self._number(row, end)
        if is_uniform:
            self._uniform[key] = number
        return number

    def _number(self, row: np.ndarray, end: int) -> int:
        key = row.tobytes() + bytes([end])
        if key not in self._numbers:
            self._numbers[key] = len(self.rows)
            self.rows.append(row)
            self.ends.append(end)
            check_size(len(self.rows))
        return self._numbers[key]

    def _empty(self) -> np.ndarray:
        return np.full(256, self._invalid, np.int32)
