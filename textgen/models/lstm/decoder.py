"""The LSTM that generates: plain matrix products and stacked kernels.

`keras.layers.LSTM` would export a cuDNN op when the model was trained on a GPU.

Letters in shapes: B batch, T time, D hidden_dim, V vocabulary.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.models.base import Decoder
from textgen.models.lstm.config import LSTMConfig


class LSTMDecoder(Decoder):
    """Prefill and step of an LSTM; the state is (output, cell), each [B, D], of every layer."""

    config: LSTMConfig

    @property
    def max_positions(self) -> None:
        """An LSTM's state has no limit."""
        return

    def prefill(self, token_ids, lengths, state=None):
        """Process the beginnings of texts layer by layer; see `Decoder.prefill`."""
        empty = tf.zeros((tf.shape(token_ids)[0], self.config.hidden_dim))
        state = state or (empty,) * (2 * self.config.num_layers)
        num_tokens = tf.reduce_max(tf.concat([lengths, [0]], 0))
        x = tf.gather(self.weights["embedding"], tf.transpose(token_ids))  # [T, B, D]
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            start = state[2 * index : 2 * index + 2]
            outputs, cells = self._run_layer(f"lstm_{index}", x, start, num_tokens)
            for first, rest in zip(start, (outputs, cells), strict=True):
                # A row that ends early has the state after its own last token.
                history = tf.transpose(tf.concat([first[None], rest], 0), (1, 0, 2))
                new_state.append(tf.gather(history, lengths, batch_dims=1))
            x = outputs
        return tf.transpose(x, (1, 0, 2)), tuple(new_state)

    def _run_layer(self, name, x, start, num_tokens):
        """Run a layer over [T, B, D] inputs; return the outputs and cells after each, [T, B, D].

        The inputs are projected all at once, so that an iteration is one product.
        """
        time, batch_size, width = tf.shape(x)[0], tf.shape(x)[1], self.config.hidden_dim
        input_kernel, recurrent_kernel = tf.split(self.kernel(name), 2)
        projected = tf.matmul(tf.reshape(x, (-1, width)), input_kernel)
        projected = tf.nn.bias_add(projected, self.weights[f"{name}/bias"])
        projected = tf.reshape(projected, (time, batch_size, 4 * width))

        def iterate(t, output, cell, outputs, cells):
            gates = projected[t] + tf.matmul(output, recurrent_kernel)
            output, cell = _update(gates, cell)
            return t + 1, output, cell, outputs.write(t, output), cells.write(t, cell)

        # Arrays, because tensors would be copied in every iteration.
        zeros = tf.zeros((time, batch_size, width))
        arrays = [tf.TensorArray(tf.float32, time).unstack(zeros) for _ in range(2)]
        *_, outputs, cells = tf.while_loop(
            lambda t, *_: t < num_tokens, iterate, (0, *start, *arrays)
        )
        return outputs.stack(), cells.stack()

    def step(self, token_ids, state, position, looked_up=()):
        """Process one more token per row; see `Decoder.step`. The position is not needed."""
        x = tf.gather(self.weights["embedding"], token_ids)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            output, cell = state[2 * index : 2 * index + 2]
            gates = self.dense(tf.concat([x, output], 1), f"lstm_{index}")
            x, cell = _update(gates, cell)
            new_state += [x, cell]
        return x, tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self.dense(hidden, "output")


def _update(gates, cell):
    """Return the output and the cell [B, D] after a token, from its gates [B, 4 D]."""
    i, f, g, o = tf.split(gates, 4, axis=1)
    cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(cell), cell
