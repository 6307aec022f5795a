"""The Transformer that trains: KerasNLP layers.

Pre-norm blocks as in GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask
Learners"), with the output tied to the token embedding (Press and Wolf 2017,
https://arxiv.org/abs/1608.05859). Relative positions, the default, enter through attention alone,
as a learned bias per head and distance (after Raffel et al. 2020,
https://arxiv.org/abs/1910.10683, section 2.1).

Letters in shapes: B batch, T time, D hidden_dim, H heads, K = D / H, C context_length.
"""

from __future__ import annotations

from typing import Any

import keras
import keras_nlp
import numpy as np

from textgen.keras_internals import CustomAttentionBlock
from textgen.models.base import LanguageModel
from textgen.models.transformer import fusion
from textgen.models.transformer.config import TransformerConfig
from textgen.models.transformer.decoder import LAYER_NORM_EPSILON, TransformerDecoder
from textgen.models.transformer.positions import (
    ROTARY_WAVELENGTH,
    SINE_WAVELENGTH,
    embedding_scale,
)

_INITIAL_STDDEV = 0.02
# The layers of a block by the names that `fuse` knows, and by their paths in Keras.
_LAYERS = {
    "attention_norm": "self_attention_layer_norm",
    "query": "self_attention/query",
    "key": "self_attention/key",
    "value": "self_attention/value",
    "output": "self_attention/attention_output",
    "feedforward_norm": "feedforward_layer_norm",
    "expand": "feedforward_intermediate_dense",
    "contract": "feedforward_output_dense",
}


def _gelu(x):
    """The tanh form of GELU (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415)."""
    return keras.activations.gelu(x, approximate=True)


def biases_of_pairs(biases, length: int):
    """Return the bias of every pair of positions of a window, by shifting rows instead of lookups.

    The gradient of a lookup would add T x T numbers to T biases one after the other: on an H200
    it took 31 of the 40 milliseconds of a step with 6 layers and a window of 256.

    Args:
        biases: [H, C], the bias of each distance.
        length: T, at most C.

    Returns:
        [H, T, T], for query i and key j the bias of distance i - j; 0 for keys after the query.
    """
    num_heads = biases.shape[0]
    nearest, farther = biases[:, :1], keras.ops.flip(biases[:, 1:length], axis=1)
    # Column j - i of a row of 2 T: keys after the query follow the nearest, and farther ones wrap.
    row = keras.ops.concatenate(
        [nearest, keras.ops.zeros((num_heads, length), biases.dtype), farther], axis=1
    )
    # Rows that are one shorter than what they are cut from begin one later each.
    rows = keras.ops.tile(row, (1, length))[:, : length * (2 * length - 1)]
    return keras.ops.reshape(rows, (num_heads, length, 2 * length - 1))[:, :, :length]


class Block(CustomAttentionBlock):
    """KerasNLP's block, whose attention may know positions.

    Args:
        config: The shape of the model.
        **kwargs: The arguments of `keras_nlp.layers.TransformerDecoder`.
    """

    def __init__(self, config: TransformerConfig, **kwargs) -> None:
        super().__init__(**kwargs)
        self.context_length = config.context_length
        self.is_relative = config.positions == "relative"
        self.rotate = None
        if config.positions == "rotary":
            self.rotate = keras_nlp.layers.RotaryEmbedding(ROTARY_WAVELENGTH, dtype="float32")

    def build(self, input_shape):
        """Create the variables."""
        super().build(input_shape)
        if self.is_relative:
            shape = (self.num_heads, self.context_length)
            self.distance_bias = self.add_weight(shape=shape, name="distance_bias")

    def attend(self, query, key, value, normalize):
        """Mix the values; see `CustomAttentionBlock`."""
        if self.rotate:
            query, key = (keras.ops.cast(self.rotate(x), x.dtype) for x in (query, key))
        scores = keras.ops.einsum("bihk,bjhk->bhij", query, key) * query.shape[-1] ** -0.5
        if self.is_relative:
            scores += biases_of_pairs(self.distance_bias, query.shape[1])
        return keras.ops.einsum("bhij,bjhk->bihk", normalize(scores), value)


class TransformerModel(LanguageModel):
    """Embedding, `num_layers` x `Block`, norm, tied output."""

    config: TransformerConfig
    decoder_class = TransformerDecoder
    fusion = fusion

    def __init__(self, config: TransformerConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(config, vocab_size, dtype)
        self.embedding = keras_nlp.layers.ReversibleEmbedding(
            vocab_size, config.hidden_dim, dtype=dtype, name="embedding"
        )
        self.position_embedding: Any = None
        if config.positions == "learned":
            self.position_embedding = keras_nlp.layers.PositionEmbedding(
                config.context_length, dtype=dtype, name="position_embedding"
            )
        elif config.positions == "sinusoidal":
            self.position_embedding = keras_nlp.layers.SinePositionEncoding(
                SINE_WAVELENGTH, dtype="float32"
            )
        self.embedding_dropout = keras.layers.Dropout(config.dropout, dtype=dtype)
        self.blocks = [
            Block(
                config,
                intermediate_dim=config.feedforward_dim,
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
        """Create the variables."""
        self.embedding.build(input_shape)
        hidden_shape = (*input_shape, self.config.hidden_dim)
        if self.position_embedding:
            self.position_embedding.build(hidden_shape)
        for block in self.blocks:
            block.build(hidden_shape)
        self.norm.build(hidden_shape)
        self.built = True

    def call(self, token_ids, training=False):
        """Predict every next token of a window; see `LanguageModel.call`."""
        x = self.embedding(token_ids)
        if self.position_embedding:
            positions = keras.ops.cast(self.position_embedding(x), x.dtype)
            x = x * embedding_scale(self.config) + positions
        x = self.embedding_dropout(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        logits = self.embedding(self.norm(x), reverse=True)
        # float32 whatever the policy: a softmax over bfloat16 logits loses the small ones.
        return keras.ops.cast(logits, "float32")

    def initial_value(self, path, shape, generator):
        """Return GPT-2's: normal(0, 0.02), residual projections scaled by 1 / sqrt(2 x layers).

        The biases of attention fall with the distance, less steeply from head to head, as in
        ALiBi (Press et al. 2022, https://arxiv.org/abs/2108.12409, section 3).
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

    def named_variables(self):
        """Return the variables by the names that `fuse` knows; see `LanguageModel`."""
        variables = {
            "token_embedding": self.embedding.embeddings,
            "norm/gamma": self.norm.gamma,
            "norm/beta": self.norm.beta,
        }
        if self.config.positions == "learned":
            variables["position_embedding"] = self.position_embedding.position_embeddings
        for index, block in enumerate(self.blocks):
            if block.is_relative:
                variables[f"block_{index}/distance_bias"] = block.distance_bias
            # The sublayers of a KerasNLP block are private; the paths of their variables are not.
            own = {v.path.split(f"block_{index}/")[1]: v for v in block.weights}
            for name, path in _LAYERS.items():
                parts = ("gamma", "beta") if name.endswith("norm") else ("kernel", "bias")
                for part in parts:
                    variables[f"block_{index}/{name}/{part}"] = own[f"{path}/{part}"]
        return variables
