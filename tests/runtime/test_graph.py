"""What is read from a graph's bytes is what protobuf itself reads."""

import pytest
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from textgen.runtime.graph import parse_graph
from textgen.runtime.wire import WireError


@pytest.fixture(scope="module")
def graph_def(exported_models):
    data = (exported_models["transformer"].path / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(data).meta_graphs[0].graph_def


def test_nodes_and_functions_are_those_of_the_file(graph_def):
    graph = parse_graph(graph_def.SerializeToString())
    assert {name: (node.operation, node.inputs) for name, node in graph.nodes.items()} == {
        node.name: (node.op, [name.lstrip("^").partition(":")[0] for name in node.input])
        for node in graph_def.node
    }
    assert graph.function_operations == {
        node.op for function in graph_def.library.function for node in function.node_def
    }
    assert not graph.compiled


def test_a_constant_counts_with_what_its_shape_takes():
    graph_def = graph_pb2.GraphDef()
    node = graph_def.node.add(name="c", op="Const")
    node.attr["value"].tensor.dtype = 1
    node.attr["value"].tensor.tensor_shape.dim.add(size=1000)
    node.attr["value"].tensor.float_val.append(1.0)
    twice = graph_pb2.GraphDef()
    twice.CopyFrom(graph_def)
    twice.library.function.add().node_def.add().CopyFrom(node)
    assert parse_graph(graph_def.SerializeToString()).constant_bytes == 4000
    assert parse_graph(twice.SerializeToString()).constant_bytes == 8000


def test_what_xla_must_compile_is_named():
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="call", op="Const").attr["_XlaMustCompile"].b = True
    graph_def.node.add(name="not", op="Const").attr["_XlaMustCompile"].b = False
    function = graph_def.library.function.add()
    function.signature.name = "compiled"
    function.attr["_XlaMustCompile"].b = True
    assert parse_graph(graph_def.SerializeToString()).compiled == {"call", "compiled"}


def test_two_operations_of_a_node_are_refused():
    node = node_def_pb2.NodeDef(name="a", op="NoOp").SerializeToString()
    node += node_def_pb2.NodeDef(op="Abort").SerializeToString()
    with pytest.raises(WireError, match="exactly one operation"):
        parse_graph(b"\x0a" + bytes([len(node)]) + node)


def test_two_nodes_of_a_name_are_refused():
    graph_def = graph_pb2.GraphDef()
    graph_def.node.add(name="a", op="NoOp")
    graph_def.node.add(name="a", op="Abort")
    with pytest.raises(WireError, match="of the same name"):
        parse_graph(graph_def.SerializeToString())
