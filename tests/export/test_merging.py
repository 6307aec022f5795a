"""Merging equal constants and functions: a smaller graph that computes the same."""

import numpy as np
import tensorflow as tf

from textgen.export.merging import merge_equal


def plain_graph():
    """Return a graph of two equal loops with conditions inside, and one that differs."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        for name, factor in (("first", 2.0), ("same", 2.0), ("other", 3.0)):

            def add(i, y, factor=factor):
                grown = tf.cond(
                    tf.reduce_sum(y) > 100.0,
                    lambda: y - tf.constant(7.0),
                    lambda: y * factor + tf.constant(7.0),
                )
                # Only a control dependency keeps the check.
                with tf.control_dependencies([tf.debugging.assert_rank(y, 1)]):
                    return i + 1, tf.identity(grown)

            tf.identity(tf.while_loop(lambda i, y: i < 5, add, (tf.constant(0), x))[1], name)
    return graph.as_graph_def()


def run(graph_def, x):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(["first:0", "same:0", "other:0"], {"x:0": x})


def test_a_merged_graph_is_smaller_and_computes_the_same():
    plain = plain_graph()
    merged = type(plain)()
    merged.CopyFrom(plain)
    merge_equal(merged)
    # Condition and body of each loop, and both branches inside; one condition serves all.
    assert len(plain.library.function) == 12
    assert len(merged.library.function) == 6
    assert merged.ByteSize() < 0.6 * plain.ByteSize()
    for x in ([1.0, -2.0], [], [60.0, 50.0]):
        expected, found = run(plain, np.float32(x)), run(merged, np.float32(x))
        assert [value.tolist() for value in found] == [value.tolist() for value in expected]
    before = merged.SerializeToString(deterministic=True)
    merge_equal(merged)
    assert merged.SerializeToString(deterministic=True) == before


def test_an_exported_model_holds_nothing_twice(meta_graph):
    graph = meta_graph.graph_def
    functions = graph.library.function
    for nodes in (graph.node, *(function.node_def for function in functions)):
        constants = [
            (node.device, str(node.attr["value"].tensor))
            for node in nodes
            if node.op == "Const" and not node.input
        ]
        assert len(set(constants)) == len(constants)
    bodies = [str(function).replace(function.signature.name, "") for function in functions]
    assert len(set(bodies)) == len(bodies)
