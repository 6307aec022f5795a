"""An automaton as the bytes that an exported graph takes.

Little-endian int32 numbers ("words"). The first 256 are the columns of the bytes 0 to 255, the
next one is 0, and then come the states, each as many words as there are columns:

    column 0   the state itself
    column 1   what the end of the text means here: an `End`
    column 2   how many tokens at least until the text may end
    others     the next state, for bytes with this column

A state is named by its distance in words from the first one, which is the start.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from textgen.constraints.automaton import DEAD, Automaton, End
from textgen.constraints.vocabulary import UNREACHABLE

# Columns of facts, before those of bytes.
NUM_FACTS = 3


class EncodedAutomaton(NamedTuple):
    """An automaton as the graph takes it.

    Attributes:
        content: The words, as bytes.
        names: int64[S], what the graph calls each state.
    """

    content: bytes
    names: np.ndarray


def encode_automaton(automaton: Automaton, distances: np.ndarray) -> EncodedAutomaton:
    """Encode an automaton.

    Args:
        automaton: The automaton.
        distances: int32[S], from `TokenWalk.distances`.
    """
    columns, column_of = np.unique(automaton.table, axis=1, return_inverse=True)
    num_states, width = len(automaton.table), NUM_FACTS + columns.shape[1]
    names = np.arange(num_states + 1) * width  # the last state is the dead one
    states = np.empty((num_states + 1, width), np.int64)
    states[:, 0] = names
    states[:-1, 1], states[-1, 1] = automaton.ends, End.FORBIDDEN
    states[:-1, 2], states[-1, 2] = distances, UNREACHABLE
    states[:-1, NUM_FACTS:] = names[columns]
    states[-1, NUM_FACTS:] = names[DEAD]
    header = [*(column_of.reshape(-1) + NUM_FACTS), 0]
    words = np.concatenate([header, states.reshape(-1)]).astype("<i4")
    return EncodedAutomaton(words.tobytes(), names)
