"""Wide kernels in parts, which several threads multiply by one row at the same time.

TensorFlow runs the products of a batch of matrices side by side, and a small product is faster on
one thread than if it is handed over. So a kernel that one row is multiplied by becomes a batch of
its parts, one per thread, if it is wide.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

# A kernel with fewer weights is multiplied faster than a thread is woken, and TensorFlow would not
# hand over parts of it.
_MIN_WEIGHTS = 2**18
# The parts for 0, 1, 2 ... threads: a power of two, which divides the sizes of kernels.
_PARTS = (1, 1, 2, 2, 4, 4, 4, 4, 8)


def num_parts(num_rows: int | tf.Tensor, num_threads: int | tf.Tensor) -> tf.Tensor:
    """Return into how many parts to cut kernels, int32[]: one if there are several rows."""
    threads = tf.minimum(num_threads, len(_PARTS) - 1)
    return tf.where(tf.equal(num_rows, 1), tf.gather(_PARTS, threads), 1)


def cut(kernels: Mapping[str, tf.Tensor], num_parts: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the kernels in parts, float32[parts, rows / parts, columns], if any is wide.

    Args:
        kernels: float32[rows, columns] by name.
        num_parts: int32[], the parts of a wide kernel. Others remain whole.
    """
    shapes = {name: kernel.shape for name, kernel in kernels.items()}
    wide = {
        name
        for name, (rows, columns) in shapes.items()
        if rows * columns >= _MIN_WEIGHTS and rows % max(_PARTS) == 0
    }
    if not wide:
        return {}
    return {
        name: tf.reshape(kernel, (num_parts if name in wide else 1, -1, shapes[name][1]))
        for name, kernel in kernels.items()
    }
