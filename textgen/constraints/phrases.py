"""An automaton that dies when a text contains one of some phrases.

Aho and Corasick 1975, "Efficient string matching: an aid to bibliographic search": a state is
the longest end of the text that begins a phrase. Here a step is a character in any spelling that
`ignore_case` allows, and a character has several bytes. So a state is the characters of a
phrase's beginning, then bytes that begin its next character.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textgen.constraints.automaton import DEAD, Automaton, End, check_size
from textgen.constraints.letter_case import case_variants

# A node that is still to be made.
_NEW = -2


def avoid_phrases(phrases: Sequence[str], ignore_case: bool = False) -> Automaton:
    """Return the automaton of the texts without any of the phrases.

    Args:
        phrases: Non-empty texts. One that contains another is left out: it cannot appear without
            the other, unless a prompt already holds that one.
        ignore_case: Whether a phrase also matches in other cases.

    Example:
        >>> avoid_phrases(["glint"], ignore_case=True).run("Glint".encode()) == DEAD
        True
    """
    phrases = sorted(set(phrases), key=len)
    edges: list[dict[int, int]] = [{}]  # own transitions of each node: byte -> node, or DEAD

    def child(node: int, byte: int) -> int:
        if edges[node].get(byte, DEAD) == DEAD:
            edges[node][byte] = len(edges)
            edges.append({})
            check_size(len(edges))
        return edges[node][byte]

    # One character of all phrases after the other, so that a node is made after the shorter
    # ones that it fails to.
    layer = {0: list(phrases)}
    position = 0
    while layer:
        layer = _add_characters(layer, position, ignore_case, edges, child)
        position += 1
    return _complete(edges)


def _add_characters(layer, position, ignore_case, edges, child):
    """Add the next character of every phrase; return the phrases by their new nodes."""
    following: dict[int, list[str]] = {}
    for node, phrases in layer.items():
        targets: dict[str, int] = {}  # by the character in one of its cases
        # A phrase that ends here makes longer ones unnecessary.
        phrases = sorted(phrases, key=lambda phrase: len(phrase) > position + 1)
        for phrase in phrases:
            character = phrase[position]
            variants = case_variants(character) if ignore_case else (character,)
            known = targets.get(variants[0])
            if known == DEAD:
                continue
            target = _NEW if known is None else known
            for variant in variants:
                *first, last = variant.encode()
                place = node
                for byte in first:
                    place = child(place, byte)
                if len(phrase) == position + 1:
                    target = edges[place][last] = DEAD
                elif target == _NEW:
                    target = child(place, last)
                else:
                    edges[place][last] = target
            targets[variants[0]] = target
            if target != DEAD:
                following.setdefault(target, []).append(phrase)
    return following


def _complete(edges: list[dict[int, int]]) -> Automaton:
    """Return the automaton in which every state has a transition for every byte.

    A node without its own transition for a byte has that of the node that it fails to.
    """
    num_states = len(edges)
    table = np.zeros((num_states, 256), np.int32)
    fails = np.zeros(num_states, np.int64)
    seen = np.zeros(num_states, bool)
    queue = [0]
    seen[0] = True
    for node in queue:
        row = table[fails[node]].copy() if node else table[0]
        for byte, target in edges[node].items():
            # A shorter phrase may end where the longer one continues.
            if row[byte] == DEAD or target == DEAD:
                row[byte] = DEAD
                continue
            if not seen[target]:
                fails[target] = row[byte]
                seen[target] = True
                queue.append(target)
            row[byte] = target
        table[node] = row
    return Automaton(table, np.full(num_states, End.FREE, np.int32))
