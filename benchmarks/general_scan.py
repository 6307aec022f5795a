"""An LSTM's loop over time for variants: what `textgen.models.lstm.scan` does, and more."""

from __future__ import annotations

import tensorflow as tf


def general_scan(projected, recurrent_kernel, state, mask=None, zones=None):
    """Do what `lstm_scan` does, from any state, with recurrent dropout and zoneout.

    Args:
        projected: [T, B, 4 D].
        recurrent_kernel: [D, 4 D].
        state: [2, B, D], output and cell before the first step; gets no gradient.
        mask: [B, D], what outputs are multiplied with before the recurrent kernel.
        zones: two of [T, B, D], the share of the old output and of the old cell that stays.

    Returns:
        Outputs and cells, [T, B, D]; cells have no gradient.
    """
    time, batch_size, _ = projected.shape
    width = recurrent_kernel.shape[0]
    mask = tf.ones((batch_size, width)) if mask is None else mask
    zone_h, zone_c = zones or (tf.zeros((time, 1, 1)), tf.zeros((time, 1, 1)))
    h_start, c_start = state[0], state[1]
    array = tf.TensorArray

    @tf.custom_gradient
    def scan(projected, kernel):
        def forwards(t, h, c, hs, cs, gates):
            i, f, g, o = tf.split(projected[t] + tf.matmul(h * mask, kernel), 4, axis=1)
            i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
            c = zone_c[t] * c + (1 - zone_c[t]) * (f * c + i * g)
            h = zone_h[t] * h + (1 - zone_h[t]) * (o * tf.tanh(c))
            gate = tf.concat([i, f, g, o], 1)
            return t + 1, h, c, hs.write(t, h), cs.write(t, c), gates.write(t, gate)

        shapes = (width, width, 4 * width)
        arrays = [array(tf.float32, time, element_shape=(batch_size, n)) for n in shapes]
        *_, hs, cs, gates = tf.while_loop(
            lambda t, *_: t < time,
            forwards,
            (0, h_start, c_start, *arrays),
            maximum_iterations=time,
        )
        hs, cs, gates = hs.stack(), cs.stack(), gates.stack()

        def gradient(h_gradients, _):
            i, f, g, o = tf.split(gates, 4, axis=2)
            tanh = tf.tanh(cs)
            cs_before = tf.concat([c_start[None], cs[:-1]], 0)
            factors = tf.concat(
                [g * i * (1 - i), cs_before * f * (1 - f), i * (1 - g * g), tanh * o * (1 - o)], 2
            )
            cell_factors, transposed = o * (1 - tanh * tanh), tf.transpose(kernel)

            def backwards(t, h, c, projections):
                h += h_gradients[t]
                new_h = h * (1 - zone_h[t])
                c += new_h * cell_factors[t]
                new_c = c * (1 - zone_c[t])
                projection = factors[t] * tf.concat([new_c, new_c, new_c, new_h], 1)
                before = tf.matmul(projection, transposed) * mask + h * zone_h[t]
                return (
                    t - 1,
                    before,
                    new_c * f[t] + c * zone_c[t],
                    projections.write(t, projection),
                )

            empty = tf.zeros((batch_size, width))
            *_, projections = tf.while_loop(
                lambda t, *_: t >= 0,
                backwards,
                (
                    time - 1,
                    empty,
                    empty,
                    array(tf.float32, time, element_shape=(batch_size, 4 * width)),
                ),
                maximum_iterations=time,
            )
            projections = projections.stack()
            hs_before = tf.concat([h_start[None], hs[:-1]], 0) * mask
            kernel_gradient = tf.einsum("tbi,tbj->ij", hs_before, projections)
            return projections, kernel_gradient

        return (hs, cs), gradient

    return scan(projected, recurrent_kernel)
