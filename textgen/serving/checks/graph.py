"""What the graph of a SavedModel is made of, read from its file.

The field numbers are those of tensorflow/core/framework: graph.proto, function.proto,
node_def.proto and attr_value.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textgen.errors import ModelDamagedError
from textgen.runtime.directory import find_serving_graph
from textgen.runtime.wire import WireError, as_message, as_number, as_text, read_fields


class Graph(NamedTuple):
    """A graph with its functions.

    Attributes:
        operations: the names of all operations in it.
        compiled: the names of nodes and functions that XLA must compile (`jit_compile`).
    """

    operations: frozenset[str]
    compiled: frozenset[str]


def read_graph(path: Path) -> Graph:
    """Read the graph of a SavedModel.

    Args:
        path: the folder that holds `saved_model.pb`.

    Raises:
        ModelDamagedError: the file is missing or damaged.
    """
    file = path / "saved_model.pb"
    operations: set[str] = set()
    compiled: set[str] = set()
    try:
        for graph in _messages(find_serving_graph(file.read_bytes()), 2):
            functions = [f for library in _messages(graph, 2) for f in _messages(library, 1)]
            nodes = [*_messages(graph, 1), *(n for f in functions for n in _messages(f, 3))]
            operations.update(_text(node, 2) for node in nodes)
            compiled.update(_text(node, 1) for node in nodes if _must_compile(node))
            compiled.update(
                _text(signature, 1)
                for function in functions
                if _must_compile(function)
                for signature in _messages(function, 1)
            )
    except (OSError, WireError) as error:
        raise ModelDamagedError(f"{file} is missing or damaged: {error}") from error
    return Graph(frozenset(operations), frozenset(compiled))


def _must_compile(holder: memoryview) -> bool:
    """Tell whether a NodeDef or a FunctionDef, whose attributes share a number, says so."""
    return any(
        as_number(value)
        for entry in _messages(holder, 5)
        if _text(entry, 1) == "_XlaMustCompile"
        for attribute in _messages(entry, 2)
        for number, value in read_fields(attribute)
        if number == 5
    )


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (as_message(value) for number, value in read_fields(message) if number == wanted)


def _text(message: memoryview, wanted: int) -> str:
    return "".join(as_text(value) for value in _messages(message, wanted))
