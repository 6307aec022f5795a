"""An LSTM's loop over time with its own gradient, for training without cuDNN.

Whatever does not depend on the previous iteration is computed for all of them at once: the
projection of the input before the loop, the factors of the gates' gradients before the backward
loop, and the gradient of the recurrent kernel after it, as one large matrix product. An
iteration is then one small product and a few operations on its result (Appleyard et al. 2016,
https://arxiv.org/abs/1604.01946).

Letters in shapes: B batch, T time, D hidden_dim.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


@tf.custom_gradient
def lstm_scan(projected: tf.Tensor, recurrent_kernel: tf.Tensor):
    """Run an LSTM over sequences, from an empty state.

    Args:
        projected: [T, B, 4 D], the inputs times their kernel, plus the bias; the order of the
            gates is input, forget, cell, output.
        recurrent_kernel: [D, 4 D], of the same dtype.

    Returns:
        [T, B, D], the outputs.
    """
    time, batch_size, _ = tf.unstack(tf.shape(projected))
    width, dtype = recurrent_kernel.shape[0], projected.dtype
    empty = tf.zeros((batch_size, width), dtype)
    # sigmoid(z) = (1 + tanh(z / 2)) / 2: one function for all gates, which need not be split.
    scale = tf.constant(np.repeat([0.5, 0.5, 1, 0.5], width), dtype)
    offset = tf.constant(np.repeat([0.5, 0.5, 0, 0.5], width), dtype)
    scaled, scaled_kernel = projected * scale, recurrent_kernel * scale

    def forwards(t, output, cell, outputs, cells, gates):
        gate = tf.tanh(scaled[t] + tf.matmul(output, scaled_kernel)) * scale + offset
        i, f, g, o = tf.split(gate, 4, axis=1)
        cell = f * cell + i * g
        output = o * tf.tanh(cell)
        written = outputs.write(t, output), cells.write(t, cell), gates.write(t, gate)
        return (t + 1, output, cell, *written)

    arrays = (_array(time, empty), _array(time, empty), _array(time, projected[0]))
    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < time, forwards, (0, empty, empty, *arrays), maximum_iterations=time
    )
    outputs, cells, gates = (array.stack() for array in arrays)

    def gradient(output_gradients):
        i, f, g, o = tf.split(gates, 4, axis=2)
        tanh = tf.tanh(cells)
        cells_before = tf.concat([empty[None], cells[:-1]], 0)
        # The factors of the gradients of the cell, three times, and of the output.
        factors = tf.concat(
            [g * i * (1 - i), cells_before * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)], 2
        )
        cell_factors = o * (1 - tanh * tanh)
        transposed = tf.transpose(recurrent_kernel)

        def backwards(t, output, cell, projections):
            output += output_gradients[t]
            cell += output * cell_factors[t]
            projection = factors[t] * tf.concat([cell, cell, cell, output], 1)
            written = projections.write(t, projection)
            return t - 1, tf.matmul(projection, transposed), cell * f[t], written

        *_, array = tf.while_loop(
            lambda t, *_: t >= 0,
            backwards,
            (time - 1, empty, empty, _array(time, projected[0])),
            maximum_iterations=time,
        )
        projections = array.stack()
        outputs_before = tf.concat([empty[None], outputs[:-1]], 0)
        kernel_gradient = tf.matmul(
            tf.reshape(outputs_before, (-1, width)),
            tf.reshape(projections, (-1, 4 * width)),
            transpose_a=True,
        )
        return projections, kernel_gradient

    return outputs, gradient


def _array(size: tf.Tensor, element: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(element.dtype, size, element_shape=element.shape)
