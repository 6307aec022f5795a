"""The parts of a graph: its operations, what they depend on, and its constants.

Read from the bytes of `saved_model.pb`, because the list of operations in its header may lie.
The field numbers are those of tensorflow/core/framework: graph.proto, function.proto,
node_def.proto, attr_value.proto and tensor.proto.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from textgen.runtime import dtypes
from textgen.runtime.wire import (
    WireError,
    as_message,
    as_number,
    as_signed,
    as_text,
    messages,
    only_message,
    read_fields,
    read_tables,
)

# A string of a tensor is an object of this size in memory, besides long characters.
_STRING_SIZE = 24
_COMPILED = b"_XlaMustCompile"


class Node(NamedTuple):
    """One operation of the main graph.

    Attributes:
        operation: Its kind, such as "MatMul".
        inputs: Names of the nodes it depends on. A control dependency counts as one.
    """

    operation: str
    inputs: list[str]


@dataclasses.dataclass(frozen=True)
class Graph:
    """A graph with its functions.

    Attributes:
        nodes: The nodes of the main graph, by name.
        function_operations: The operations in the bodies of all functions.
        constant_bytes: What all constants take in memory.
        compiled: Names of the nodes and functions that XLA must compile (`jit_compile`).
    """

    nodes: dict[str, Node]
    function_operations: frozenset[str]
    constant_bytes: int
    compiled: frozenset[str]

    @property
    def operations(self) -> frozenset[str]:
        """The operations of the main graph and of all functions."""
        return self.function_operations | {node.operation for node in self.nodes.values()}

    def dependencies(self, names: Iterable[str]) -> set[str]:
        """Return the named nodes and all that must run before them.

        Args:
            names: Names of nodes.

        Raises:
            WireError: If a node depends on one that does not exist.
        """
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                if name not in self.nodes:
                    raise WireError(f"its graph has no operation {name}")
                found.add(name)
                waiting.extend(self.nodes[name].inputs)
        return found


def parse_graph(graph_def: bytes) -> Graph:
    """Read a serialized GraphDef.

    Raises:
        WireError: If the bytes are not a GraphDef.
    """
    functions = messages(only_message(graph_def, 2), 1)
    node_messages = messages(graph_def, 1)
    body_messages = [node for function in functions for node in messages(function, 3)]
    main, bodies = _Nodes(node_messages), _Nodes(body_messages)
    named = [(node, node) for node in node_messages + body_messages if _COMPILED in node]
    named += [(f, only_message(f, 1)) for f in functions if _COMPILED in f]
    compiled = {as_text(only_message(name, 1)) for holder, name in named if _must_compile(holder)}
    constant_bytes = main.constant_bytes + bodies.constant_bytes
    return Graph(main.by_name(), frozenset(bodies.operations), constant_bytes, frozenset(compiled))


class _Nodes:
    """NodeDef messages, of which only what a check needs is decoded.

    Attributes:
        operations: The operation of each.
        constant_bytes: What the constants among them take in memory.
    """

    def __init__(self, nodes: Sequence[bytes]) -> None:
        self._count = len(nodes)
        self._fields = read_tables(nodes)
        self.operations = self._texts(2, "operation")
        is_constant = np.array([operation == "Const" for operation in self.operations], bool)
        # Most constants occur many times.
        attributes = Counter(self._fields.values(5, is_constant)[1])
        self.constant_bytes = sum(
            _attribute_size(entry) * count for entry, count in attributes.items()
        )

    def by_name(self) -> dict[str, Node]:
        """Return the nodes.

        Raises:
            WireError: If two have the same name.
        """
        inputs: list[list[str]] = [[] for _ in range(self._count)]
        known: dict[bytes, str] = {}
        for owner, value in zip(*self._fields.values(3), strict=True):
            if value not in known:
                known[value] = as_text(value).lstrip("^").partition(":")[0]
            inputs[owner].append(known[value])
        nodes = dict(zip(self._texts(1, "name"), map(Node, self.operations, inputs), strict=True))
        if len(nodes) < self._count:
            raise WireError("its graph has two operations of the same name")
        return nodes

    def _texts(self, number: int, label: str) -> list[str]:
        """Return a string that each node has exactly once."""
        if (self._fields.counts(number, self._count) != 1).any():
            raise WireError(f"a node does not have exactly one {label}")
        # Operations occur many times.
        known: dict[bytes, str] = {}
        _, values = self._fields.values(number)
        for value in values:
            if value not in known:
                known[value] = as_text(value)
        return [known[value] for value in values]


def _attribute_size(entry: bytes) -> int:
    """Return what the tensor in an attribute takes in memory, 0 if it holds none."""
    return sum(map(_tensor_size, messages(only_message(entry, 2), 8)))


def _tensor_size(tensor: bytes) -> int:
    """Return what a TensorProto takes in memory: its shape decides, not its length."""
    dtypes_found, count = [], 1
    for number, value in read_fields(tensor):
        if number == 1:
            dtypes_found.append(dtypes.to_numpy(as_number(value)))
        elif number == 2:
            for dimension in messages(as_message(value), 2):
                sizes = [as_signed(as_number(size)) for n, size in read_fields(dimension) if n == 1]
                count *= max([0, *sizes])
    item = max((_item_size(dtype) for dtype in dtypes_found), default=_STRING_SIZE)
    return max(count * item, len(tensor))


def _item_size(dtype: object) -> int:
    if dtype == dtypes.STRING or dtype == dtypes.OPAQUE:
        return _STRING_SIZE
    return dtype.itemsize  # type: ignore[attr-defined]


def _must_compile(holder: bytes) -> bool:
    """Return whether a NodeDef or a FunctionDef, whose attributes share a number, says so."""
    return any(
        as_number(value)
        for entry in messages(holder, 5)
        if as_text(only_message(entry, 1)) == _COMPILED.decode()
        for number, value in read_fields(only_message(entry, 2))
        if number == 5
    )
