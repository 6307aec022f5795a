"""Regular expressions as automata.

Python's own parser reads the pattern, so it means what it means to `re`. What an automaton
cannot follow is refused: lookaround, references to groups, boundaries.

The states are sets of positions in the pattern (Thompson 1968, "Regular expression search
algorithm"; Rabin and Scott 1959). Their number is bounded, because a short pattern may have very
many: Rust's dense automata, which outlines-core offers to Python, took six minutes for
"a{99999}". Hence this module instead of a library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from textgen.config.constraint_controls import check_pattern
from textgen.constraints.automaton import DEAD, Automaton, End
from textgen.constraints.character_sets import ANY, character_set
from textgen.constraints.characters import Partition
from textgen.constraints.regex_internals import codes, parse
from textgen.errors import ConfigError

_MAX_POSITIONS = 5_000
_MAX_STATES = 2_000
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)
_BEGINNINGS = (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING)
_ENDINGS = (codes.AT_END, codes.AT_END_STRING)


def match_pattern(pattern: str, name: str = "regex") -> Automaton:
    """Return the automaton of the texts that a pattern matches as a whole.

    Args:
        pattern: A regular expression of `re`.
        name: The setting that it comes from, for messages.

    Raises:
        ConfigError: If it is not one, or no automaton can follow it.

    Example:
        >>> automaton = match_pattern(r"[0-9]+")
        >>> automaton.ends[automaton.run(b"42")] == End.COMPLETE
        True
    """
    graph = _PositionGraph(name)
    start, end = graph.node(), graph.node()
    graph.add(_parse(name, pattern), start, end)
    return graph.automaton(start, lambda nodes: nodes >> end & 1, End.COMPLETE, End.FORBIDDEN)


def avoid_patterns(patterns: Sequence[str], ignore_case: bool = False) -> Automaton:
    """Return the automaton of the texts in which no pattern matches anything.

    Args:
        patterns: Regular expressions of `re`.
        ignore_case: Whether they also match in other cases.

    Raises:
        ConfigError: If one is not a regular expression, no automaton can follow it, or it
            matches the empty text.
    """
    graph = _PositionGraph("avoid_regex")
    start, end = graph.node(), graph.node()
    graph.edge(start, ANY, start)
    for pattern in patterns:
        graph.add(_parse("avoid_regex", pattern, ignore_case), start, end)
    return graph.automaton(start, lambda nodes: 0, End.FREE, End.FREE, avoided=end)


def _parse(name: str, pattern: str, ignore_case: bool = False) -> Any:
    check_pattern(name, "a regular expression", pattern)
    parsed = parse(pattern, re.IGNORECASE if ignore_case else 0)
    # The whole text is matched anyway.
    if name == "regex":
        if len(parsed) and parsed[0] in [(codes.AT, place) for place in _BEGINNINGS]:
            parsed = parsed[1:]
        if len(parsed) and parsed[-1] in [(codes.AT, place) for place in _ENDINGS]:
            parsed = parsed[:-1]
    return parsed


class _PositionGraph:
    """Positions in patterns, and the sets of characters that lead from one to another.

    Args:
        name: What the pattern is for, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._empty: list[int] = []  # a bit for each node that is reached without a character
        self._edges: list[list[tuple[int, int]]] = []  # (number of a set, node)
        self._sets: dict[bytes, int] = {}
        self._ranges: list[np.ndarray] = []

    def node(self) -> int:
        """Add a position."""
        if len(self._edges) >= _MAX_POSITIONS:
            raise ConfigError(
                f"{self._name} must be shorter. Received: more than {_MAX_POSITIONS} positions "
                "of characters, repetitions included"
            )
        self._empty.append(1 << len(self._empty))
        self._edges.append([])
        return len(self._edges) - 1

    def edge(self, start: int, ranges: np.ndarray, end: int) -> None:
        """Lead from one position to another by any character of a set."""
        key = ranges.tobytes()
        if key not in self._sets:
            self._sets[key] = len(self._ranges)
            self._ranges.append(ranges)
        self._edges[start].append((self._sets[key], end))

    def add(self, parsed: Any, start: int, end: int, flags: int | None = None) -> None:
        """Lead from one position to another by what a parsed pattern matches."""
        flags = parsed.state.flags if flags is None else flags
        places = [start, *(self.node() for _ in parsed)]
        self._link(places[-1], end)
        for (code, value), before, after in zip(parsed, places, places[1:], strict=False):
            if code is codes.BRANCH:
                for branch in value[1]:
                    self.add(branch, before, after, flags)
            elif code is codes.SUBPATTERN:
                _, added, removed, inner = value
                self.add(inner, before, after, (flags | added) & ~removed)
            elif code in _REPEATS:
                low, high, inner = value
                self._repeat(low, high, inner, before, after, flags)
            elif (ranges := character_set(code, value, flags)) is not None:
                self.edge(before, ranges, after)
            else:
                raise ConfigError(
                    f"{self._name} must have no lookaround, boundaries, possessive parts or "
                    f"references to groups. Received: {str(code).lower()}"
                )

    def _repeat(self, low: int, high: int, inner: Any, start: int, end: int, flags: int) -> None:
        for _ in range(low):
            after = self.node()
            self.add(inner, start, after, flags)
            start = after
        if high == codes.MAXREPEAT:
            loop = self.node()
            self._link(start, loop)
            self.add(inner, loop, loop, flags)
            self._link(loop, end)
            return
        for _ in range(high - low):
            self._link(start, end)
            after = self.node()
            self.add(inner, start, after, flags)
            start = after
        self._link(start, end)

    def _link(self, start: int, end: int) -> None:
        self._empty[start] |= 1 << end

    def automaton(self, start, is_complete, complete, other, avoided=None) -> Automaton:
        """Return the automaton of all paths from a position.

        Args:
            start: The position.
            is_complete: Whether a set of positions, a number with a bit for each, completes
                a match.
            complete: The `End` of such sets.
            other: The `End` of all others.
            avoided: A position that no path may reach.
        """
        closures = self._closures()
        if avoided is not None and closures[start] >> avoided & 1:
            raise ConfigError(f"{self._name} must not match the empty text")
        partition = Partition(self._ranges or [ANY])
        by_set = [np.flatnonzero(column).tolist() for column in partition.members.T]
        numbers = {closures[start]: 0}
        states, rows = [closures[start]], []
        for state in states:
            after = [0] * len(partition.members)
            for node in _bits(state):
                for number, target in self._edges[node]:
                    for kind in by_set[number]:
                        after[kind] |= closures[target]
            row = []
            for nodes in after:
                if not nodes or (avoided is not None and nodes >> avoided & 1):
                    row.append(DEAD)
                    continue
                if nodes not in numbers:
                    numbers[nodes] = len(states)
                    states.append(nodes)
                row.append(numbers[nodes])
            rows.append(row)
            if len(states) > _MAX_STATES:
                raise ConfigError(
                    f"{self._name} must be simpler. Received: more than {_MAX_STATES} states of "
                    "its automaton"
                )
        ends = [complete if is_complete(nodes) else other for nodes in states]
        # Bytes that are no text end no pattern to avoid, and match none.
        invalid = DEAD if avoided is None else 0
        return partition.over_bytes(np.array(rows, np.int32), np.array(ends, np.int32), invalid)

    def _closures(self) -> list[int]:
        """The positions that are reached from each position without a character."""
        closures = list(self._empty)
        is_changed = True
        while is_changed:
            is_changed = False
            for node in reversed(range(len(closures))):
                reached = closures[node]
                for other in _bits(reached & ~(1 << node)):
                    reached |= closures[other]
                if reached != closures[node]:
                    closures[node], is_changed = reached, True
        return closures


def _bits(number: int) -> list[int]:
    """Return the positions of the bits that are set."""
    found = []
    while number:
        low = number & -number
        found.append(low.bit_length() - 1)
        number ^= low
    return found
