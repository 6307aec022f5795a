"""Merge the equal constants and the equal functions of a graph.

Tracing makes a new constant wherever a number is used, and new functions for the loops of every
signature. Such copies are half of a graph or more, and a program that opens the model needs time
and memory for each. Names inside functions are replaced by numbers. Because TensorFlow numbers
functions throughout a process, this also makes every export of the same model the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence

from tensorflow.core.framework.attr_value_pb2 import NameAttrList
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

# What tracing notes on nodes and arguments, and no program that runs the graph reads.
_NOTES = ("_output_shapes", "_input_shapes", "_user_specified_name")


def merge_equal(graph: GraphDef) -> None:
    """Merge the equal constants and functions of a graph, which computes the same afterwards.

    Args:
        graph: The graph. Its functions are called by name only by attributes of nodes, as loops
            and conditions call them. Those that nothing calls are dropped.

    Example:
        >>> graph = tf.Graph()
        >>> with graph.as_default():
        ...     x = tf.constant(1.0) + tf.constant(1.0)
        >>> graph_def = graph.as_graph_def()
        >>> merge_equal(graph_def)
        >>> [node.name for node in graph_def.node]
        ['Const', 'add']
    """
    _merge_constants(graph.node)
    functions = _Functions(graph.library.function)
    for role, call in _calls(graph.node):
        call.name = functions.merge(call.name, role)
    del graph.library.function[:]
    graph.library.function.extend(functions.merged)


class _Functions:
    """The functions of a graph, merged as they are found to be called.

    Attributes:
        merged: Different functions; one that calls another comes after it.
    """

    def __init__(self, functions: MutableSequence[FunctionDef]) -> None:
        self.merged: list[FunctionDef] = []
        self._unmerged = {function.signature.name: function for function in functions}
        self._names: dict[str, str] = {}
        self._known: dict[bytes, str] = {}

    def merge(self, name: str, role: str) -> str:
        """Return the new name of a function, which all that are equal to it share.

        Args:
            name: Its name.
            role: What it is to the node that calls it, such as `"body"`.
        """
        if name not in self._names:
            function = self._unmerged[name]
            # Functions that call equal functions may be equal themselves.
            for inner_role, call in _calls(function.node_def):
                call.name = self.merge(call.name, inner_role)
            _number_names(function, _merge_constants(function.node_def))
            function.signature.name = ""
            content = function.SerializeToString(deterministic=True)
            if content not in self._known:
                self._known[content] = function.signature.name = f"{role}_{len(self.merged)}"
                self.merged.append(function)
            self._names[name] = self._known[content]
        return self._names[name]


def _calls(nodes: MutableSequence[NodeDef]) -> Iterator[tuple[str, NameAttrList]]:
    """Yield the functions that nodes call, after the name of the attribute that has each."""
    for node in nodes:
        # A map of protobuf has another order in every process.
        for key in sorted(node.attr):
            value = node.attr[key]
            if value.HasField("func"):
                yield key, value.func
            yield from ((key, call) for call in value.list.func)


def _merge_constants(nodes: MutableSequence[NodeDef]) -> dict[str, str]:
    """Keep the first of equal constants, and return its name by those of the others."""
    known: dict[bytes, str] = {}
    merged: dict[str, str] = {}
    copies = []
    for index, node in enumerate(nodes):
        node.ClearField("experimental_debug_info")
        _drop_notes(node.attr)
        if node.op == "Const" and not node.input:
            name = node.name
            node.name = ""
            kept = known.setdefault(node.SerializeToString(deterministic=True), name)
            node.name = name
            if kept != name:
                merged[name] = kept
                copies.append(index)
    for index in reversed(copies):
        del nodes[index]
    _rename_inputs(nodes, merged)
    return merged


def _number_names(function: FunctionDef, merged: Mapping[str, str]) -> None:
    """Name all that is inside a function by its number, so that equal functions have equal names.

    Args:
        function: The function.
        merged: The names of nodes that others have replaced; results may still refer to them.
    """
    signature = function.signature
    results = [function.ret[output.name] for output in signature.output_arg]
    names = {}
    for letter, named in (("a", signature.input_arg), ("n", function.node_def)):
        for index, item in enumerate(named):
            names[item.name] = item.name = f"{letter}{index}"
    names |= {name: names[kept] for name, kept in merged.items()}
    _rename_inputs(function.node_def, names)
    function.ret.clear()
    for index, (output, result) in enumerate(zip(signature.output_arg, results, strict=True)):
        output.name = f"r{index}"
        function.ret[output.name] = _renamed(result, names)
    controls = sorted({names[node] for node in function.control_ret.values()})
    function.control_ret.clear()
    function.control_ret.update(zip(controls, controls, strict=True))
    signature.control_output[:] = controls
    for arg in function.arg_attr.values():
        _drop_notes(arg.attr)
    _drop_notes(function.attr)


def _rename_inputs(nodes: MutableSequence[NodeDef], names: Mapping[str, str]) -> None:
    for node in nodes:
        for index, value in enumerate(node.input):
            renamed = _renamed(value, names)
            if renamed != value:
                node.input[index] = renamed


def _renamed(value: str, names: Mapping[str, str]) -> str:
    """Rename the node of an input: `name`, `name:0`, `name:output:0`, or `^name`, a control."""
    control = "^" * value.startswith("^")
    name, colon, output = value.removeprefix("^").partition(":")
    return f"{control}{names.get(name, name)}{colon}{output}"


def _drop_notes(attributes) -> None:
    for name in _NOTES:
        if name in attributes:
            del attributes[name]
