"""The LSTM baseline: Embedding, N x LSTM, Dense over the vocabulary.

Graves 2013, "Generating Sequences With Recurrent Neural Networks"
(https://arxiv.org/abs/1308.0850), with the cell of Hochreiter and Schmidhuber 1997
and the forget gate's bias set to 1 (Jozefowicz et al. 2015). What a layer passes on, not what
it remembers, is multiplied by a constant: see `OUTPUT_GAIN`.

Letters in shapes: B batch, T time, D hidden_dim, V vocabulary.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.models.base import Decoder, LanguageModel
from textgen.models.lstm_scan import lstm_scan

# An LSTM's outputs are small at first, so that kernels on top of them start small and learn
# slowly. With this factor they need not grow; docs/recipe.md says what it is worth.
OUTPUT_GAIN = 5.0


class LSTMModel(LanguageModel):
    """Embedding, `num_layers` x `keras.layers.LSTM`, dropout between them, Dense.

    On a GPU the layers run themselves, by cuDNN. Elsewhere their loop is
    `textgen.models.lstm_scan`, three times as fast; a test holds that both are the same.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(config, vocab_size, dtype)
        width = config.hidden_dim
        self.embedding = keras.layers.Embedding(vocab_size, width, dtype=dtype, name="embedding")
        self.layers_and_dropouts = [
            (
                keras.layers.LSTM(width, return_sequences=True, dtype=dtype, name=f"lstm_{index}"),
                keras.layers.Dropout(config.dropout, dtype=dtype, name=f"dropout_{index}"),
            )
            for index in range(config.num_layers)
        ]
        self.output_dense = keras.layers.Dense(vocab_size, dtype=dtype, name="output")

    def build(self, input_shape):
        """Make the variables."""
        self.embedding.build(input_shape)
        hidden_shape = (*input_shape, self.config.hidden_dim)
        for lstm, _ in self.layers_and_dropouts:
            lstm.build(hidden_shape)
        self.output_dense.build(hidden_shape)
        self.built = True

    def call(self, token_ids, training=False):
        """Predict every next token of a window, from an empty state; see `LanguageModel`."""
        run_layers = self._run_layers if tf.config.list_logical_devices("GPU") else self._scan
        hidden = run_layers(token_ids, training)
        return keras.ops.cast(self.output_dense(hidden), "float32")

    def _run_layers(self, token_ids, training):
        x = self.embedding(token_ids)
        for lstm, dropout in self.layers_and_dropouts:
            x = dropout(OUTPUT_GAIN * lstm(x, training=training), training=training)
        return x

    def _scan(self, token_ids, training):
        """Do the same as `_run_layers`, time first."""
        token_ids = tf.transpose(token_ids)
        x = None
        for lstm, dropout in self.layers_and_dropouts:
            kernel = tf.convert_to_tensor(lstm.cell.kernel)
            recurrent_kernel = tf.convert_to_tensor(lstm.cell.recurrent_kernel)
            if x is None:
                projected = self._project_tokens(token_ids, kernel)
            else:
                projected = tf.tensordot(x, kernel, 1)
            x = OUTPUT_GAIN * lstm_scan(projected + lstm.cell.bias, recurrent_kernel)
            x = dropout(x, training=training)
        return tf.transpose(x, (1, 0, 2))

    def _project_tokens(self, token_ids, kernel):
        """Return the embeddings times the kernel, int32[T, B] to [T, B, 4 D]."""
        if self.vocab_size > self.config.hidden_dim:
            return tf.tensordot(self.embedding(token_ids), kernel, 1)
        # Few tokens are projected once each. By their one-hot vectors, because the gradient
        # of a lookup is a sum by index, which XLA does one row after the other.
        table = tf.matmul(self.embedding.embeddings, kernel)
        return tf.tensordot(tf.one_hot(token_ids, self.vocab_size, dtype=table.dtype), table, 1)

    def initial_value(self, path, shape, generator):
        """Glorot-uniform kernels, orthogonal recurrence, forget bias 1, small embedding."""
        if path.endswith("bias"):
            bias = np.zeros(shape, np.float32)
            if "lstm_cell" in path:
                width = shape[0] // 4
                bias[width : 2 * width] = 1  # gates stand in the order input, forget, cell, output
            return bias
        if "embedding" in path:
            return generator.normal(0, 0.1, shape).astype(np.float32)
        if "recurrent" in path:
            blocks = [np.linalg.qr(generator.normal(size=(shape[0], shape[0])))[0] for _ in "ifco"]
            return np.concatenate(blocks, axis=1).astype(np.float32)
        limit = np.sqrt(6 / sum(shape))
        return generator.uniform(-limit, limit, shape).astype(np.float32)

    def decoder_weights(self) -> dict[str, np.ndarray]:
        """Return the weights with input and recurrent kernels stacked; see `LanguageModel`.

        The gain of a layer goes into the kernel behind it.
        """
        weights = {
            "embedding": self.embedding.embeddings,
            "output/kernel": OUTPUT_GAIN * np.asarray(self.output_dense.kernel),
            "output/bias": self.output_dense.bias,
        }
        for index, (lstm, _) in enumerate(self.layers_and_dropouts):
            gain = OUTPUT_GAIN if index else 1
            kernels = (gain * np.asarray(lstm.cell.kernel), np.asarray(lstm.cell.recurrent_kernel))
            weights[f"lstm_{index}/kernel"] = np.concatenate(kernels)
            weights[f"lstm_{index}/bias"] = lstm.cell.bias
        return {name: np.asarray(value, np.float32) for name, value in weights.items()}

    def decoder(self) -> LSTMDecoder:
        """Return a decoder with a copy of the present weights."""
        return LSTMDecoder(self.config, self.vocab_size, self.decoder_weights())


class LSTMDecoder(Decoder):
    """Prefill and step of `LSTMModel`; the state is (h, c) of each layer.

    Plain matrix products instead of `keras.layers.LSTM`, so that no cuDNN op is
    exported whatever device the model was trained on.
    """

    @property
    def max_positions(self) -> None:
        """An LSTM's state has no limit."""
        return

    def prefill(self, token_ids, lengths):
        """Read the beginnings of texts token by token; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))

        def read(t, hidden, *state):
            new_hidden, new_state = self.step(token_ids[:, t], state, t)
            # A row that has ended keeps what it had: padding leaves no trace.
            reading = (t < lengths)[:, None]
            kept = [tf.where(reading, new, old) for new, old in zip(new_state, state, strict=True)]
            return (t + 1, tf.tensor_scatter_nd_update(hidden, [[t]], new_hidden[None]), *kept)

        width = self.config.hidden_dim
        start = (
            tf.constant(0),
            tf.zeros((time, batch_size, width)),
            *(tf.zeros((batch_size, width)) for _ in range(2 * self.config.num_layers)),
        )
        longest = tf.reduce_max(tf.concat([lengths, [0]], 0))
        _, hidden, *state = tf.while_loop(lambda t, *_: t < longest, read, start)
        return tf.transpose(hidden, (1, 0, 2)), tuple(state)

    def step(self, token_ids, state, position):
        """Read one more token a row; see `Decoder.step`. The position is not needed."""
        x = tf.gather(self.weights["embedding"], token_ids)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            h, c = state[2 * index : 2 * index + 2]
            gates = self._dense(tf.concat([x, h], 1), f"lstm_{index}")
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            x = tf.sigmoid(o) * tf.tanh(c)
            new_state += [x, c]
        return x, tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self._dense(hidden, "output")

    def _dense(self, x, name):
        return tf.nn.bias_add(
            tf.matmul(x, self.weights[f"{name}/kernel"]), self.weights[f"{name}/bias"]
        )
