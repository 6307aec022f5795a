"""The private parts of TensorFlow that textgen uses are what it takes them for.

When a newer version fails here, mend textgen/tensorflow_internals.py, or keep the version out in
setup.cfg.
"""

import keras
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context

from textgen.tensorflow_internals import without_memory_optimizer, without_stack_traces


def predict(x):
    return keras.ops.softmax(keras.ops.relu(x))


def have_traces(function):
    graph = tf.function(function, autograph=False).get_concrete_function(tf.ones((1, 3))).graph
    # Those before and after are TensorFlow's own.
    own = [each for each in graph.get_operations() if each.type in ("Relu", "Softmax")]
    assert len(own) == 2
    return [each.traceback is not None for each in own]


def test_no_operation_has_a_stack_trace():
    assert have_traces(predict) == [True, True]
    assert have_traces(without_stack_traces(predict)) == [False, False]


def test_a_function_computes_what_it_did():
    compute = tf.function(without_stack_traces(lambda x, y: x + y), jit_compile=True)
    assert compute(tf.constant(1), tf.constant(2)) == 3


def test_functions_are_optimized_otherwise_in_the_block_only():
    before = context.context().function_call_options.config_proto_serialized
    with without_memory_optimizer():
        config = config_pb2.ConfigProto.FromString(
            context.context().function_call_options.config_proto_serialized
        )
        assert config.graph_options.rewrite_options.memory_optimization == 1  # NO_MEM_OPT
        assert tf.function(lambda x: x + 1, autograph=False)(1) == 2
    assert context.context().function_call_options.config_proto_serialized == before
