"""What a graph is made of: its operations, what they depend on, and its constants.

Read from the bytes of `saved_model.pb`, because the list of operations in its header may lie.
The field numbers are those of tensorflow/core/framework: graph.proto, function.proto,
node_def.proto, attr_value.proto and tensor.proto.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

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
)

# A string of a tensor is an object of this size in memory, besides long characters.
_STRING_SIZE = 24
_COMPILED = b"_XlaMustCompile"


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation of the main graph.

    Attributes:
        operation: Its kind, such as "MatMul".
        inputs: Names of the nodes it depends on. A control dependency counts as one.
    """

    operation: str
    inputs: tuple[str, ...]


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
    reader = _NodeReader()
    nodes: dict[str, Node] = {}
    for message in messages(graph_def, 1):
        name, node = reader.read(message)
        if name in nodes:
            raise WireError(f"its graph has two operations called {name}")
        nodes[name] = node
    functions: set[str] = set()
    for function in messages(only_message(graph_def, 2), 1):
        functions.update(reader.read(message)[1].operation for message in messages(function, 3))
        if _COMPILED in function and _must_compile(function):
            reader.compiled.add(as_text(only_message(only_message(function, 1), 1)))
    return Graph(nodes, frozenset(functions), reader.constant_bytes, frozenset(reader.compiled))


class _NodeReader:
    """Reads NodeDef messages, and adds up what they hold."""

    def __init__(self) -> None:
        self.constant_bytes = 0
        self.compiled: set[str] = set()
        # Most constants occur many times.
        self._sizes: dict[bytes, int] = {}

    def read(self, message: bytes) -> tuple[str, Node]:
        """Return a node and its name."""
        name = operation = None
        inputs = []
        attributes = []
        for number, value in read_fields(message):
            if number == 3:
                inputs.append(as_text(value).lstrip("^").partition(":")[0])
            elif number == 5:
                attributes.append(value)
            elif number == 2:
                if operation is not None:
                    raise WireError("a node has two operations")
                operation = as_text(value)
            elif number == 1:
                if name is not None:
                    raise WireError("a node has two names")
                name = as_text(value)
        name, operation = name or "", operation or ""
        if operation == "Const":
            self.constant_bytes += sum(self._size(as_message(entry)) for entry in attributes)
        if _COMPILED in message and _must_compile(message):
            self.compiled.add(name)
        return name, Node(operation, tuple(inputs))

    def _size(self, entry: bytes) -> int:
        """Return what the tensor in an attribute takes in memory, 0 if it holds none."""
        if entry not in self._sizes:
            tensors = messages(only_message(entry, 2), 8)
            self._sizes[entry] = sum(map(_tensor_size, tensors))
        return self._sizes[entry]


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
