"""Everything private of TensorFlow that textgen uses.

No other module may name what TensorFlow does not document. When a newer version fails in
tests/test_tensorflow_internals.py, mend this module, or keep the version out in setup.cfg.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.eager import context
from tensorflow.python.framework import ops


def without_stack_traces(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function for `tf.function` whose operations do not remember who made them.

    TensorFlow keeps file, function and line of some fifty frames with every operation, and XLA
    keeps them again: half a gigabyte for a training step of thirty layers.
    """

    def trace(*args: Any) -> Any:
        create = ops._create_c_op
        ops._create_c_op = functools.partial(create, extract_traceback=False)
        try:
            return function(*args)
        finally:
            ops._create_c_op = create

    # A partial, because TensorFlow mistakes functions of the same code for one that is traced
    # again and again, and would warn at the fifth model trained in a process.
    return functools.partial(trace)


@contextlib.contextmanager
def without_memory_optimizer() -> Iterator[None]:
    """Keep the memory optimizer away from functions that are called first in the block.

    Where gradients of a large model are summed, it puts a temporary variable. In a loop that is
    not compiled by XLA, the last one is never destroyed, and when the loop runs again, its name is
    taken: the call fails with an AlreadyExistsError.
    """
    current = context.context().function_call_options
    config = config_pb2.ConfigProto.FromString(current.config_proto_serialized)
    rewriting = config.graph_options.rewrite_options
    rewriting.memory_optimization = rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
    options = context.FunctionCallOptions(current.executor_type, config)
    context.context().function_call_options = options
    try:
        yield
    finally:
        context.context().function_call_options = current
