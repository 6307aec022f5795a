"""What the tokens of a model can do in the states of an automaton."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgen.constraints.automaton import DEAD, Automaton, End
from textgen.errors import ConfigError

# The distance of a state from which no text can be finished.
UNREACHABLE = 2**31 - 1
# Following all tokens from all states takes a second for this many bytes.
_MAX_STEPS = 300_000_000
_STATES_AT_A_TIME = 64


class TokenWalk:
    """Follows the bytes of all tokens at once, along the tree of their prefixes.

    Args:
        pieces: The bytes of each token, by id. Special tokens have none.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = pieces
        nodes = {b"": 0}
        levels: list[list[tuple[int, int]]] = []  # for every length: (node of the prefix, byte)
        for size in range(1, max(map(len, pieces), default=0) + 1):
            levels.append([])
            for piece in pieces:
                if len(piece) >= size and piece[:size] not in nodes:
                    nodes[piece[:size]] = len(nodes)
                    levels[-1].append((nodes[piece[: size - 1]], piece[size - 1]))
        self._levels = [np.array(level, np.int64).reshape(-1, 2).T for level in levels]
        self._num_nodes = len(nodes)
        self._node_of = np.array([nodes[piece] for piece in pieces], np.int64)

    def after(self, table: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Return the states after each token, int32[N, V], from int64[N] states."""
        reached = np.empty((len(states), self._num_nodes), np.int32)
        reached[:, 0] = states
        done = 1
        for parents, values in self._levels:
            # A dead state, -1, has the last row, which is dead throughout.
            reached[:, done : done + len(parents)] = table[reached[:, parents], values]
            done += len(parents)
        return reached[:, self._node_of]

    def distances(self, automaton: Automaton, usable: np.ndarray, can_end: bool) -> np.ndarray:
        """Return how many tokens it takes at least, from each state, until the text may end.

        Args:
            automaton: The automaton.
            usable: bool[V], the tokens that the model can generate.
            can_end: Whether the model can generate its EOS token.

        Returns:
            int32[S], 0 where the text may end and, unless it is complete, continue too;
            `UNREACHABLE` where it can do neither.

        Raises:
            ConfigError: If automaton and vocabulary are too large together.
        """
        is_text = usable & (self._node_of > 0)
        if (automaton.ends == End.FREE).all():
            is_alive = _never_stuck(automaton, self.pieces, np.flatnonzero(is_text), can_end)
            return np.where(is_alive, 0, UNREACHABLE).astype(np.int32)
        if len(automaton.table) * self._num_nodes > _MAX_STEPS:
            raise ConfigError(
                "regex must be simpler for a vocabulary of this size. "
                f"Received: {len(automaton.table)} states"
            )
        table = _with_dead_row(automaton)
        sources, targets = [], []
        for first in range(0, len(automaton.table), _STATES_AT_A_TIME):
            states = np.arange(first, min(first + _STATES_AT_A_TIME, len(automaton.table)))
            for state, row in zip(states, self.after(table, states)[:, is_text], strict=True):
                found = np.unique(row)
                found = found[found != DEAD]
                targets.append(found)
                sources.append(np.full(len(found), state))
        return _shortest(np.concatenate(sources), np.concatenate(targets), automaton.ends)


def _with_dead_row(automaton: Automaton) -> np.ndarray:
    return np.pad(automaton.table, [(0, 1), (0, 0)], constant_values=DEAD)


def _shortest(sources: np.ndarray, targets: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The lengths of the shortest paths to a state in which the text may end."""
    distances = np.where(ends == End.FORBIDDEN, UNREACHABLE, 0).astype(np.int32)
    steps = 0
    while True:
        steps += 1
        ahead = sources[distances[targets] == steps - 1]
        new = np.unique(ahead[distances[ahead] == UNREACHABLE])
        if not len(new):
            return distances
        distances[new] = steps


def _never_stuck(
    automaton: Automaton, pieces: Sequence[bytes], tokens: np.ndarray, can_end: bool
) -> np.ndarray:
    """Which states some token can always continue from, bool[S]."""
    is_alive = np.ones(len(automaton.table) + 1, bool)
    is_alive[DEAD] = False
    if can_end:
        return is_alive[:-1]
    table = _with_dead_row(automaton)
    while True:
        # For nearly all states one of the first tokens will do.
        pending = np.flatnonzero(is_alive)
        for token in tokens:
            after = pending
            for byte in pieces[token]:
                after = table[after, byte]
            pending = pending[~is_alive[after]]
            if not len(pending):
                return is_alive[:-1]
        is_alive[pending] = False
