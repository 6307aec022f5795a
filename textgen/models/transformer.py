"""The Transformer decoder: KerasNLP layers, for training.

Pre-norm blocks as in GPT-2 (Radford et al. 2019, "Language Models are Unsupervised
Multitask Learners"), output tied to the token embedding (Press and Wolf 2017,
https://arxiv.org/abs/1608.05859). Where a token stands is told by learned biases of attention
alone, one for every head and distance (after Raffel et al. 2020, https://arxiv.org/abs/1910.10683,
section 2.1). `textgen.models.transformer_decoder` writes with the weights trained here.
"""

from __future__ import annotations

import keras
import keras_nlp
import numpy as np

from textgen.config import ModelConfig
from textgen.models.base import LanguageModel
from textgen.models.transformer_decoder import LAYER_NORM_EPSILON, TransformerDecoder, fuse

_INITIAL_STDDEV = 0.02


def _gelu(x):
    """The tanh form of GELU (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415)."""
    return keras.activations.gelu(x, approximate=True)


class Block(keras_nlp.layers.TransformerDecoder):
    """KerasNLP's block, with a learned bias for every head and distance of two tokens.

    Args:
        context_length: C, distances there are.
        **kwargs: KerasNLP's own.
    """

    def __init__(self, context_length: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.context_length = context_length

    def build(self, input_shape):
        """Make the variables."""
        super().build(input_shape)
        shape = (self.num_heads, self.context_length)
        self.distance_bias = self.add_weight(shape=shape, name="distance_bias")
        # The method that Keras lets users override; but KerasNLP makes the layer itself.
        self._self_attention_layer._compute_attention = self._attend

    def _attend(self, query, key, value, attention_mask=None, training=False, **_):
        """Mix values (B, T, H, K); returns the scores, too, which Keras wants."""
        attention = self._self_attention_layer
        positions = keras.ops.arange(query.shape[1])
        distances = keras.ops.maximum(positions[:, None] - positions, 0)
        scores = keras.ops.einsum("bihk,bjhk->bhij", query, key) * query.shape[-1] ** -0.5
        scores += keras.ops.take(self.distance_bias, distances, axis=1)
        scores = attention._masked_softmax(scores, attention_mask)
        dropped = attention._dropout_layer(scores, training=training)
        return keras.ops.einsum("bhij,bjhk->bihk", dropped, value), scores


class TransformerModel(LanguageModel):
    """Embedding, `num_layers` x `Block`, norm, tied output."""

    def __init__(self, config: ModelConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(config, vocab_size, dtype)
        self.embedding = keras_nlp.layers.ReversibleEmbedding(
            vocab_size, config.hidden_dim, dtype=dtype, name="embedding"
        )
        self.embedding_dropout = keras.layers.Dropout(config.dropout, dtype=dtype)
        self.blocks = [
            Block(
                config.context_length,
                intermediate_dim=config.intermediate_dim or 4 * config.hidden_dim,
                num_heads=config.num_heads,
                dropout=config.dropout,
                activation=_gelu,
                layer_norm_epsilon=LAYER_NORM_EPSILON,
                normalize_first=True,
                dtype=dtype,
                name=f"block_{index}",
            )
            for index in range(config.num_layers)
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=LAYER_NORM_EPSILON, dtype=dtype, name="norm"
        )

    def build(self, input_shape):
        """Make the variables."""
        self.embedding.build(input_shape)
        hidden_shape = (*input_shape, self.config.hidden_dim)
        for block in self.blocks:
            block.build(hidden_shape)
        self.norm.build(hidden_shape)
        self.built = True

    def call(self, token_ids, training=False):
        """Predict every next token of a window; see `LanguageModel.call`."""
        x = self.embedding(token_ids)
        x = self.embedding_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        logits = self.embedding(self.norm(x), reverse=True)
        # float32 whatever the policy: a softmax over bfloat16 logits loses the small ones.
        return keras.ops.cast(logits, "float32")

    def initial_value(self, path, shape, generator):
        """GPT-2's: normal(0, 0.02), residual projections scaled by 1 / sqrt(2 x layers).

        The heads' biases fall with the distance, head by head less steeply: ALiBi's (Press et
        al. 2022, https://arxiv.org/abs/2108.12409, section 3).
        """
        if path.endswith("distance_bias"):
            num_heads, num_distances = shape
            slopes = 2.0 ** (-8 * np.arange(1, num_heads + 1) / num_heads)
            return -np.outer(slopes, np.arange(num_distances)).astype(np.float32)
        if path.endswith("gamma"):
            return np.ones(shape, np.float32)
        if path.endswith(("beta", "bias")):
            return np.zeros(shape, np.float32)
        stddev = _INITIAL_STDDEV
        if "attention_output" in path or "feedforward_output" in path:
            stddev /= np.sqrt(2 * self.config.num_layers)
        return generator.normal(0, stddev, shape).astype(np.float32)

    def decoder_weights(self) -> dict[str, np.ndarray]:
        """Return the weights as the decoder computes with them; see `LanguageModel`."""
        hidden_dim = self.config.hidden_dim
        weights = {
            "token_embedding": self.embedding.embeddings,
            "norm/gamma": self.norm.gamma,
            "norm/beta": self.norm.beta,
        }
        for index, block in enumerate(self.blocks):
            weights[f"block_{index}/distance_bias"] = block.distance_bias
            # KerasNLP gives its sublayers no public names.
            attention = block._self_attention_layer
            norms = {
                "attention_norm": block._self_attention_layer_norm,
                "feedforward_norm": block._feedforward_layer_norm,
            }
            projections = {
                "query": attention._query_dense,  # kernel (D, H, K), bias (H, K)
                "key": attention._key_dense,
                "value": attention._value_dense,
                "output": attention._output_dense,  # kernel (H, K, D)
            }
            feedforward = {
                "expand": block._feedforward_intermediate_dense,
                "contract": block._feedforward_output_dense,
            }
            for name, norm in norms.items():
                weights[f"block_{index}/{name}/gamma"] = norm.gamma
                weights[f"block_{index}/{name}/beta"] = norm.beta
            for name, dense in projections.items():
                kernel = np.reshape(dense.kernel, (hidden_dim, hidden_dim))
                weights[f"block_{index}/{name}/kernel"] = kernel
                weights[f"block_{index}/{name}/bias"] = np.reshape(dense.bias, hidden_dim)
            for name, dense in feedforward.items():
                weights[f"block_{index}/{name}/kernel"] = dense.kernel
                weights[f"block_{index}/{name}/bias"] = dense.bias
        return fuse(weights, self.config)

    def decoder(self) -> TransformerDecoder:
        """Return a decoder with a copy of the present weights."""
        return TransformerDecoder(self.config, self.vocab_size, self.decoder_weights())
