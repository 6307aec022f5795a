"""Everything private of TensorFlow that textgen uses.

No other module may name what TensorFlow does not document. When a newer version fails in
tests/test_tensorflow_internals.py, mend this module, or keep the version out in setup.cfg.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

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
