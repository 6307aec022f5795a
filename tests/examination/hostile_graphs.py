"""Graphs that do more than generate text, each made from an exported one.

Every function changes a SavedModel message. `CANARY` is a file that none may create.
"""

import os
from pathlib import Path

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

CANARY = Path("/tmp", f"textgen-canary-{os.getpid()}")
SECRET = "/etc/hostname"


def make_hostile(path, change):
    """Change the graph of the SavedModel in a folder."""
    file = path / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved_model)
    file.write_bytes(saved_model.SerializeToString())


def add(graph, op, name=None, inputs=(), **attributes):
    """Add a node to a GraphDef or FunctionDef, and return its name."""
    nodes = graph.node_def if hasattr(graph, "node_def") else graph.node
    node = nodes.add(op=op, name=name or f"hostile_{len(nodes)}", input=inputs)
    for key, value in attributes.items():
        if isinstance(value, bytes):
            node.attr[key].s = value
        elif isinstance(value, str):
            node.attr[key].func.name = value
        elif isinstance(value, list):
            node.attr[key].list.type.extend(value)
        else:
            node.attr[key].type = value
    return node.name


def text(graph, value):
    """Add a constant string."""
    name = add(graph, "Const", dtype=types_pb2.DT_STRING)
    tensor = (graph.node_def if hasattr(graph, "node_def") else graph.node)[-1].attr["value"].tensor
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.SetInParent()
    tensor.string_val.append(os.fspath(value).encode())
    return name


def number(graph, value, *shape):
    """Add a constant integer, or a tensor that is filled with it."""
    name = add(graph, "Const", dtype=types_pb2.DT_INT32)
    tensor = graph.node[-1].attr["value"].tensor
    tensor.dtype = types_pb2.DT_INT32
    tensor.tensor_shape.SetInParent()
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.int_val.append(value)
    return name


def node_of(graph, name):
    """Return a node by name."""
    return next(node for node in graph.node if node.name == name)


def at_load(op_of):
    """Tie an operation to the restore operation."""

    def change(saved_model):
        meta = saved_model.meta_graphs[0]
        name = op_of(meta.graph_def)
        node_of(meta.graph_def, meta.saver_def.restore_op_name).input.append(f"^{name}")

    return change


def at_run(op_of):
    """Tie an operation to an output of `generate`."""

    def change(saved_model):
        meta = saved_model.meta_graphs[0]
        name = op_of(meta.graph_def)
        output = meta.signature_def["generate"].outputs["text"].name.partition(":")[0]
        node_of(meta.graph_def, output).input.append(f"^{name}")

    return change


def in_function(op_of):
    """Put an operation into the body of a loop."""

    def change(saved_model):
        library = saved_model.meta_graphs[0].graph_def.library
        op_of(next(f for f in library.function if f.signature.name.startswith("body_")))

    return change


def write_file(graph):
    return add(graph, "WriteFile", inputs=[text(graph, CANARY), text(graph, "owned")])


def read_file(graph):
    return add(graph, "ReadFile", inputs=[text(graph, SECRET)])


def print_escape(graph):
    message = text(graph, "\x1b[2J")
    return add(graph, "PrintV2", inputs=[message], output_stream=b"stderr")


def abort(graph):
    return add(graph, "Abort", error_msg=b"bang")


def python(graph):
    return add(graph, "PyFunc", token=b"pyfunc_0", Tin=[], Tout=[])


def custom(graph):
    return add(graph, "Evil>Operation")


def raise_error(graph):
    return add(graph, "Assert", inputs=[text(graph, ""), text(graph, "")], T=[7])


def list_files(graph):
    return add(graph, "MatchingFiles", inputs=[text(graph, "/*")])


def save(graph):
    names = [text(graph, CANARY), text(graph, "x"), text(graph, ""), number(graph, 1)]
    return add(graph, "SaveV2", inputs=names, dtypes=[types_pb2.DT_INT32])


def delete_files(graph):
    names = [text(graph, SECRET), text(graph, CANARY)]
    return add(graph, "MergeV2Checkpoints", inputs=names)


def restore_other(graph):
    names = [text(graph, SECRET), text(graph, "x"), text(graph, "")]
    return add(graph, "RestoreV2", inputs=names, dtypes=[types_pb2.DT_INT32])


def loop(graph):
    library = graph.library.function
    conditions, bodies = (
        next(f.signature.name for f in library if f.signature.name.startswith(role))
        for role in ("cond_", "body_")
    )
    return add(graph, "StatelessWhile", inputs=[number(graph, 1)], cond=conditions, body=bodies)


def call(graph):
    function = graph.library.function.add()
    function.signature.name = "hostile"
    write_file(function)
    return add(graph, "StatefulPartitionedCall", f="hostile", Tin=[], Tout=[])


def direct_call(graph):
    function = graph.library.function.add()
    function.signature.name = "Hostile"
    return add(graph, "Hostile")


def huge_constant(saved_model):
    number(saved_model.meta_graphs[0].graph_def, 1, 1 << 20, 1 << 12)


def many_constants(saved_model):
    for _ in range(40):
        number(saved_model.meta_graphs[0].graph_def, 1, 1 << 21)


def restore_private_file(saved_model):
    meta = saved_model.meta_graphs[0]
    graph = meta.graph_def
    restore = next(node for node in graph.node if node.op == "RestoreV2")
    restore.input[0] = text(graph, SECRET)


def init_operation(saved_model):
    meta = saved_model.meta_graphs[0]
    name = write_file(meta.graph_def)
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = name


def main_operation(saved_model):
    meta = saved_model.meta_graphs[0]
    meta.collection_def["saved_model_main_op"].node_list.value.append(write_file(meta.graph_def))


def main_operation_of_known_parts(saved_model):
    meta = saved_model.meta_graphs[0]
    name = loop(meta.graph_def)
    meta.collection_def["legacy_init_op"].node_list.value.append(name)


def second_graph(saved_model):
    other = saved_model.meta_graphs.add()
    other.CopyFrom(saved_model.meta_graphs[0])
    write_file(other.graph_def)


def asset_outside(saved_model):
    meta = saved_model.meta_graphs[0]
    asset = meta.asset_file_def.add(filename="../../../../../../etc/hostname")
    asset.tensor_info.name = f"{text(meta.graph_def, '')}:0"


def python_objects(saved_model):
    meta = saved_model.meta_graphs[0]
    meta.object_graph_def.nodes.add().user_object.identifier = "_generic_user_object"


def restore_as_signature(saved_model):
    meta = saved_model.meta_graphs[0]
    save_tensor = meta.saver_def.save_tensor_name
    meta.signature_def["generate"].outputs["text"].name = save_tensor


def lying_header(saved_model):
    meta = saved_model.meta_graphs[0]
    del meta.meta_info_def.stripped_op_list.op[:]
    at_load(write_file)(saved_model)


HOSTILE_GRAPHS = {
    "WriteFile at load": at_load(write_file),
    "ReadFile at load": at_load(read_file),
    "PrintV2 at load": at_load(print_escape),
    "Abort at load": at_load(abort),
    "PyFunc at load": at_load(python),
    "a custom operation at load": at_load(custom),
    "an endless loop at load": at_load(loop),
    "SaveV2 at load": at_load(save),
    "MergeV2Checkpoints at load": at_load(delete_files),
    "RestoreV2 of another file at load": at_load(restore_other),
    "a function at load": at_load(call),
    "WriteFile in an output": at_run(write_file),
    "ReadFile in an output": at_run(read_file),
    "SaveV2 in an output": at_run(save),
    "RestoreV2 in an output": at_run(restore_other),
    "a function in an output": at_run(call),
    "a function called by its name": at_run(direct_call),
    "WriteFile in a loop": in_function(write_file),
    "SaveV2 in a loop": in_function(lambda function: add(function, "SaveV2")),
    "MatchingFiles in an output": at_run(list_files),
    "Assert in an output": at_run(raise_error),
    "a constant of 16 GB": huge_constant,
    "many constants": many_constants,
    "variables of another file": restore_private_file,
    "an initialization": init_operation,
    "a main operation": main_operation,
    "an initialization of known parts": main_operation_of_known_parts,
    "a second graph": second_graph,
    "an asset outside": asset_outside,
    "Python objects": python_objects,
    "saving as a signature": restore_as_signature,
    "a header that lies": lying_header,
}
