"""The LSTM that trains: Embedding, N x LSTM, Dense over the vocabulary.

Graves 2013, "Generating Sequences With Recurrent Neural Networks"
(https://arxiv.org/abs/1308.0850), with the cell of Hochreiter and Schmidhuber 1997 and the
forget gate's bias set to 1 (Jozefowicz et al. 2015). The output of every layer, not its memory,
is multiplied by `OUTPUT_GAIN`.

Letters in shapes: B batch, T time, D hidden_dim, V vocabulary.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from textgen.models.base import LanguageModel
from textgen.models.lstm import fusion
from textgen.models.lstm.config import LSTMConfig
from textgen.models.lstm.decoder import LSTMDecoder
from textgen.models.lstm.fusion import OUTPUT_GAIN
from textgen.models.lstm.scan import lstm_scan


class LSTMModel(LanguageModel):
    """Embedding, `num_layers` x `keras.layers.LSTM`, dropout after each, Dense.

    On a GPU the layers run themselves, by cuDNN. On a CPU `lstm_scan` replaces their loop and
    is three times as fast; a test compares the two.
    """

    config: LSTMConfig
    decoder_class = LSTMDecoder
    fusion = fusion

    def __init__(self, config: LSTMConfig, vocab_size: int, dtype: str = "float32") -> None:
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
        """Create the variables."""
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
        """Return the same as `_run_layers`; inside, time is the first dimension."""
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
        """Return the embeddings times the kernel: [T, B, 4 D] from int32[T, B]."""
        if self.vocab_size > self.config.hidden_dim:
            return tf.tensordot(self.embedding(token_ids), kernel, 1)
        # A small vocabulary is projected once per token, not once per position, and looked up by
        # one-hot vectors: XLA computes the gradient of a gather row by row.
        table = tf.matmul(self.embedding.embeddings, kernel)
        return tf.tensordot(tf.one_hot(token_ids, self.vocab_size, dtype=table.dtype), table, 1)

    def initial_value(self, path, shape, generator):
        """Return Glorot-uniform kernels, orthogonal recurrence, forget bias 1, small embedding."""
        if path.endswith("bias"):
            bias = np.zeros(shape, np.float32)
            if "lstm_cell" in path:
                width = shape[0] // 4
                bias[width : 2 * width] = 1  # the order of the gates is input, forget, cell, output
            return bias
        if "embedding" in path:
            return generator.normal(0, 0.1, shape).astype(np.float32)
        if "recurrent" in path:
            blocks = [np.linalg.qr(generator.normal(size=(shape[0], shape[0])))[0] for _ in "ifco"]
            return np.concatenate(blocks, axis=1).astype(np.float32)
        limit = np.sqrt(6 / sum(shape))
        return generator.uniform(-limit, limit, shape).astype(np.float32)

    def named_variables(self):
        """Return the variables by the names that `fuse` knows; see `LanguageModel`."""
        variables = {
            "embedding": self.embedding.embeddings,
            "output/kernel": self.output_dense.kernel,
            "output/bias": self.output_dense.bias,
        }
        for index, (lstm, _) in enumerate(self.layers_and_dropouts):
            variables[f"lstm_{index}/kernel"] = lstm.cell.kernel
            variables[f"lstm_{index}/recurrent_kernel"] = lstm.cell.recurrent_kernel
            variables[f"lstm_{index}/bias"] = lstm.cell.bias
        return variables
