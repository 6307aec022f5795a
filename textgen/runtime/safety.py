"""The rule that a SavedModel must keep before TensorFlow sees it: a model only generates text.

A graph is a program. TensorFlow has operations that read and write files, print, or end the
process, and it runs some when a model is loaded. So only the operations of
`exported_operations` are allowed, each where the exporter puts it, and whatever else
TensorFlow would run at load is refused.

A model can still waste time and memory when it generates: its loops have no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textgen.runtime.exported_operations import RESTORED, SAVED, SERVED, UNUSED
from textgen.runtime.graph import Graph
from textgen.runtime.signatures import Signature
from textgen.runtime.wire import as_text, messages, only_message

_MAX_CONSTANT_BYTES = 1 << 28
_COLLECTIONS = {"variables"}
_INIT_SIGNATURE = "__saved_model_init_op"


class UnsafeError(ValueError):
    """A SavedModel could do more than generate text."""


def check_safety(meta_graph: bytes, graph: Graph, signatures: Mapping[str, Signature]) -> None:
    """Check that a model can only generate text.

    Args:
        meta_graph: The serialized MetaGraphDef.
        graph: Its graph.
        signatures: Its signatures.

    Raises:
        UnsafeError: If it could do anything else.
        WireError: If it is damaged.
    """
    _check_parts(meta_graph)
    _check_operations(graph.operations, SERVED | RESTORED | SAVED | UNUSED, "its graph has")
    _check_operations(graph.function_operations, SERVED, "a function has")
    served = graph.dependencies(
        spec.name.rpartition(":")[0]
        for signature in signatures.values()
        for spec in signature.outputs.values()
    )
    _check_operations(_operations(graph, served), SERVED, "a signature runs")
    _check_restore(only_message(meta_graph, 3), graph)
    if graph.constant_bytes > _MAX_CONSTANT_BYTES:
        raise UnsafeError(
            f"its constants take {graph.constant_bytes} bytes, more than {_MAX_CONSTANT_BYTES}"
        )


def _check_parts(meta_graph: bytes) -> None:
    """Refuse what runs at load besides the restore operation."""
    for collection in messages(meta_graph, 4):
        if (name := as_text(only_message(collection, 1))) not in _COLLECTIONS:
            raise UnsafeError(f"it has the collection {name!r}, which textgen does not export")
    for signature in messages(meta_graph, 5):
        if (name := as_text(only_message(signature, 1))) == _INIT_SIGNATURE:
            raise UnsafeError("it initializes itself, which textgen does not export")
    if messages(meta_graph, 6):
        raise UnsafeError("it has assets, which textgen does not export")
    if messages(meta_graph, 7):
        raise UnsafeError("it has Python objects, which textgen does not export")


def _check_restore(saver: bytes, graph: Graph) -> None:
    """Check that loading assigns variables from the file that TensorFlow names, and that is all."""
    if not saver:
        return
    file_name, restore = (as_text(only_message(saver, number)) for number in (1, 3))
    restored = graph.dependencies([restore])
    _check_operations(_operations(graph, restored), RESTORED, "loading it runs")
    # TensorFlow feeds this tensor with the path of variables/.
    fed = file_name.rpartition(":")[0]
    for name in restored:
        node = graph.nodes[name]
        if node.operation == "RestoreV2" and node.inputs[:1] != [fed]:
            raise UnsafeError("loading it reads another file than its variables")


def _operations(graph: Graph, names: Iterable[str]) -> set[str]:
    return {graph.nodes[name].operation for name in names}


def _check_operations(found: Iterable[str], allowed: frozenset[str], where: str) -> None:
    for operation in sorted(set(found) - allowed):
        raise UnsafeError(
            f"{where} the operation {operation!r}, which textgen does not export there"
        )
