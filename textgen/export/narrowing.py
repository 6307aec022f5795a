"""Store the weights of an exported model in fewer bits.

The graph stays as it is, and computes with float32 as before. Only what loads the weights
changes: the variables are assigned what a file of int8 becomes, cast and multiplied by its
scale, with the zeros of pruned matrices put in. So a model takes a quarter of the disk
space, and no more time per token. Weights that stay int8 in memory would be cast again for each
token, which takes four times as long as the product itself.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from textgen.catalog import DIGESTS_PATH
from textgen.errors import ConfigError, ModelDamagedError
from textgen.models.precision import MASK, SCALE, SHAPE, narrow

_VARIABLES = Path("variables", "variables")


def write_narrow(source: Path, target: Path, precision: str | None, pruned: float = 0.0) -> None:
    """Write a SavedModel that differs from another in how its weights are stored.

    Args:
        source: The folder of a SavedModel that textgen exported.
        target: An empty folder, or one that does not exist yet.
        precision: One of `textgen.models.precision.PRECISIONS`, or `None` to leave float32.
        pruned: Fraction of the weights of each matrix that become zero.

    Raises:
        ConfigError: If the weights are not float32.
        ModelDamagedError: If they cannot be read.
        OSError: If a file cannot be written.
    """
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns("variables*", "saved_model.pb", DIGESTS_PATH.name),
        dirs_exist_ok=True,
    )
    try:
        stored = _write_weights(source / _VARIABLES, target / _VARIABLES, precision, pruned)
        saved = SavedModel.FromString((source / "saved_model.pb").read_bytes())
        for meta_graph in saved.meta_graphs:
            _widen_when_restored(meta_graph.graph_def, stored)
    except tf.errors.OpError as error:
        raise OSError(f"The weights cannot be written: {error.message}") from error
    (target / "saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))


def _write_weights(
    source: Path, target: Path, precision: str | None, pruned: float
) -> dict[str, np.ndarray]:
    """Write weights in fewer bits; return all arrays in the file, by name."""
    try:
        reader = tf.train.load_checkpoint(str(source))
        names = sorted(reader.get_variable_to_shape_map())
        types = reader.get_variable_to_dtype_map()
        if {types[name] for name in names} - {tf.float32}:
            raise ConfigError(
                "A model to make smaller must have float32 weights. "
                f"Received: {', '.join(sorted({types[name].name for name in names}))}"
            )
        weights = ((name, reader.get_tensor(name)) for name in names)
        stored = dict(narrow(weights, precision, pruned))
    # TensorFlow raises ValueError for a file that is cut short.
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ModelDamagedError(f"{source}: the weights cannot be read ({error}).") from error
    target.parent.mkdir(parents=True)
    tf.raw_ops.SaveV2(
        prefix=str(target),
        tensor_names=list(stored),
        shape_and_slices=[""] * len(stored),
        tensors=list(stored.values()),
    )
    return stored


def _widen_when_restored(graph: GraphDef, stored: Mapping[str, np.ndarray]) -> None:
    """Make a graph restore these arrays, and assign float32 matrices to its variables."""
    nodes = {node.name: node for node in graph.node}
    widened: dict[str, str] = {}
    added: list[NodeDef] = []
    for restore in (node for node in graph.node if node.op == "RestoreV2"):
        constant = nodes[restore.input[1].partition(":")[0]].attr["value"].tensor
        names = [name.decode() for name in tf.make_ndarray(constant).ravel()]
        parts = {
            name: [name + end for end in (MASK, SCALE) if name + end in stored] for name in names
        }
        arrays = [*names, *itertools.chain.from_iterable(parts.values())]
        outputs = {name: f"{restore.name}:{index}" for index, name in enumerate(arrays)}
        for index, name in enumerate(names):
            if stored[name].dtype == np.float32 and not parts[name]:
                continue
            nodes_of_one = _widening(name, stored, f"{restore.name}/{index}", outputs)
            added += nodes_of_one
            widened[f"{restore.name}:{index}" if index else restore.name] = nodes_of_one[-1].name
        for slot, texts in ((1, arrays), (2, [""] * len(arrays))):
            added.append(_strings(f"{restore.name}/input_{slot}", texts))
            restore.input[slot] = added[-1].name
        kinds = [tf.as_dtype(stored[name].dtype).as_datatype_enum for name in arrays]
        restore.attr["dtypes"].list.type[:] = kinds
    for node in graph.node:
        for index, value in enumerate(node.input):
            node.input[index] = widened.get(value.removesuffix(":0"), value)
    graph.node.extend(added)


def _widening(
    name: str, stored: Mapping[str, np.ndarray], prefix: str, outputs: Mapping[str, str]
) -> list[NodeDef]:
    """Return nodes that make a matrix of what is stored of it; the last one's output is it.

    Args:
        name: The matrix's name.
        stored: All arrays in the file.
        prefix: What the nodes' names begin with.
        outputs: The tensors that hold the arrays, by their names.
    """
    with tf.Graph().as_default() as graph:
        given: dict[str, tf.Tensor] = {}

        def restored(array: str) -> tf.Tensor:
            given[array] = tf.compat.v1.placeholder(stored[array].dtype, stored[array].shape)
            return given[array]

        matrix = tf.cast(restored(name), tf.float32)
        if name + MASK in stored:
            octets = tf.reshape(restored(name + MASK), [-1, 1])
            bits = tf.bitwise.right_shift(octets, np.arange(7, -1, -1, dtype=np.uint8)) & 1
            shape = stored[name + SHAPE]
            kept = tf.where(tf.reshape(bits, [-1]))
            flat = tf.scatter_nd(kept, matrix, [shape.prod(dtype=np.int64)])
            matrix = tf.reshape(flat, shape)
        if name + SCALE in stored:
            matrix *= restored(name + SCALE)
        tf.identity(matrix, "weights")
    inputs = {tensor.op.name: outputs[array] for array, tensor in given.items()}
    nodes = [node for node in graph.as_graph_def().node if node.name not in inputs]
    for node in nodes:
        node.name = f"{prefix}/{node.name}"
        node.input[:] = [inputs.get(each, f"{prefix}/{each}") for each in node.input]
    return nodes


def _strings(name: str, texts: list[str]) -> NodeDef:
    node = NodeDef(op="Const", name=name)
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(texts, tf.string))
    return node
