"""Store the weights of an exported model in fewer bits.

The graph stays as it is, and computes with float32 as before. Only what loads the weights
changes: the variables are assigned what a file of int8 becomes, cast and multiplied by its
scale. A model takes a quarter of the disk so, and no time per token. Weights that stay int8 in
memory would be cast again for each token, which takes four times as long as the product itself.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from textgen.catalog import DIGESTS_PATH
from textgen.errors import ConfigError, ModelDamagedError
from textgen.models.precision import narrow, scale_of

_VARIABLES = Path("variables", "variables")


def write_narrow(source: Path, target: Path, precision: str) -> None:
    """Write a SavedModel that differs from another in how its weights are stored.

    Args:
        source: The folder of a SavedModel that textgen exported.
        target: An empty folder, or one that does not exist yet.
        precision: One of `textgen.models.precision.PRECISIONS`.

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
        dtypes = _write_weights(source / _VARIABLES, target / _VARIABLES, precision)
        saved = SavedModel.FromString((source / "saved_model.pb").read_bytes())
        for meta_graph in saved.meta_graphs:
            _widen_when_restored(meta_graph.graph_def, dtypes)
    except tf.errors.OpError as error:
        raise OSError(f"The weights cannot be written: {error.message}") from error
    (target / "saved_model.pb").write_bytes(saved.SerializeToString(deterministic=True))


def _write_weights(source: Path, target: Path, precision: str) -> dict[str, tf.DType]:
    """Write weights in fewer bits; return the types of all arrays in the file, by name."""
    try:
        reader = tf.train.load_checkpoint(str(source))
        names = sorted(reader.get_variable_to_shape_map())
        types = reader.get_variable_to_dtype_map()
        if {types[name] for name in names} - {tf.float32}:
            raise ConfigError(
                "A model to store in fewer bits must have float32 weights. "
                f"Received: {', '.join(sorted({types[name].name for name in names}))}"
            )
        stored = dict(narrow(((name, reader.get_tensor(name)) for name in names), precision))
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
    return {name: tf.as_dtype(value.dtype) for name, value in stored.items()}


def _widen_when_restored(graph: GraphDef, dtypes: dict[str, tf.DType]) -> None:
    """Make a graph restore arrays of these types, and assign float32 to its variables."""
    nodes = {node.name: node for node in graph.node}
    widened: dict[str, str] = {}
    added: list[NodeDef] = []
    for restore in (node for node in graph.node if node.op == "RestoreV2"):
        constant = nodes[restore.input[1].partition(":")[0]].attr["value"].tensor
        names = [name.decode() for name in tf.make_ndarray(constant).ravel()]
        scales = [scale_of(name) for name in names if scale_of(name) in dtypes]
        arrays = names + scales
        for index, name in enumerate(names):
            if dtypes[name] == tf.float32:
                continue
            output = _cast(f"{restore.name}:{index}", dtypes[name], added)
            if scale_of(name) in dtypes:
                output = _multiply(output, f"{restore.name}:{arrays.index(scale_of(name))}", added)
            widened[f"{restore.name}:{index}" if index else restore.name] = output
        for slot, texts in ((1, arrays), (2, [""] * len(arrays))):
            added.append(_strings(f"{restore.name}/input_{slot}", texts))
            restore.input[slot] = added[-1].name
        restore.attr["dtypes"].list.type[:] = [dtypes[name].as_datatype_enum for name in arrays]
    for node in graph.node:
        for index, value in enumerate(node.input):
            node.input[index] = widened.get(value.removesuffix(":0"), value)
    graph.node.extend(added)


def _cast(value: str, dtype: tf.DType, added: list[NodeDef]) -> str:
    node = NodeDef(op="Cast", name=f"{value.replace(':', '/')}/cast", input=[value])
    node.attr["SrcT"].type = dtype.as_datatype_enum
    node.attr["DstT"].type = tf.float32.as_datatype_enum
    added.append(node)
    return node.name


def _multiply(value: str, scale: str, added: list[NodeDef]) -> str:
    node = NodeDef(op="Mul", name=f"{value}/scaled", input=[value, scale])
    node.attr["T"].type = tf.float32.as_datatype_enum
    added.append(node)
    return node.name


def _strings(name: str, texts: list[str]) -> NodeDef:
    node = NodeDef(op="Const", name=name)
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(texts, tf.string))
    return node
