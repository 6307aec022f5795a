"""What a text must not, or must, contain: automata over its bytes, built on the host.

The decode loop in an exported graph follows such an automaton (`textgen.generation.automaton`).
Strings, patterns and acrostics all become one, so a new kind of constraint needs no new graph.
"""

from textgen.constraints.constraint import ConstraintBuilder

__all__ = ["ConstraintBuilder"]
