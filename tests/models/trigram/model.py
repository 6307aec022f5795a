"""The trigram model that trains."""

from __future__ import annotations

import keras
import numpy as np

from textgen.models.base import LanguageModel
from trigram.decoder import TrigramDecoder


class TrigramModel(LanguageModel):
    """Embedding, a dense layer over two embeddings, Dense over the vocabulary."""

    decoder_class = TrigramDecoder

    def __init__(self, config, vocab_size, dtype="float32"):
        super().__init__(config, vocab_size, dtype)
        self.embedding = keras.layers.Embedding(vocab_size, config.hidden_dim, dtype=dtype)
        self.mix = keras.layers.Dense(config.hidden_dim, activation="tanh", dtype=dtype)
        self.output_dense = keras.layers.Dense(vocab_size, dtype=dtype)

    def build(self, input_shape):
        width = self.config.hidden_dim
        self.embedding.build(input_shape)
        self.mix.build((*input_shape, 2 * width))
        self.output_dense.build((*input_shape, width))
        self.built = True

    def call(self, token_ids, training=False):
        x = self.embedding(token_ids)
        before = keras.ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        hidden = self.mix(keras.ops.concatenate([before, x], -1) * self.config.slope)
        return keras.ops.cast(self.output_dense(hidden), "float32")

    def initial_value(self, path, shape, generator):
        return generator.normal(0, 0.1, shape).astype(np.float32)

    def named_variables(self):
        return {
            "embedding": self.embedding.embeddings,
            "mix/kernel": self.mix.kernel,
            "mix/bias": self.mix.bias,
            "output/kernel": self.output_dense.kernel,
            "output/bias": self.output_dense.bias,
        }

    def fuse(self, weights):
        for name, value in weights.items():
            yield name, value * np.float32(self.config.slope if name == "mix/kernel" else 1)

    def unfuse(self, weights):
        for name, value in weights.items():
            yield name, value / np.float32(self.config.slope if name == "mix/kernel" else 1)
