"""The Llama family's model that trains: Keras layers.

Touvron et al. 2023, "LLaMA: Open and Efficient Foundation Language Models",
https://arxiv.org/abs/2302.13971: pre-norm blocks with RMS norms (Zhang and Sennrich 2019,
https://arxiv.org/abs/1910.07467), rotated queries and keys (`textgen.models.llama.rotation`), a
gated layer (Shazeer 2020, https://arxiv.org/abs/2002.05202), and keys and values that several
heads share (Ainslie et al. 2023, https://arxiv.org/abs/2305.13245).

KerasHub has a backbone for every release: Llama's without biases, Qwen's with them, Qwen 3's with
norms of queries and keys. None holds all of them, so this model is made of the layers that they
are made of. The heads of a kernel are one dimension: matrices are what Muon and LoRA are for.

Letters in shapes: B batch, T time, D hidden_dim, H heads, G heads of keys and values, R = H / G,
K width of a head.
"""

from __future__ import annotations

import functools

import keras
import keras_nlp
import numpy as np

from textgen.keras_internals import base_kernel
from textgen.models.base import LanguageModel
from textgen.models.llama import fusion
from textgen.models.llama.config import LlamaConfig
from textgen.models.llama.decoder import LlamaDecoder
from textgen.models.llama.rotation import rotation_rates

_INITIAL_STDDEV = 0.02
_MASK = -1e9


class Block(keras.layers.Layer):
    """Attention and a gated layer, each after a norm and added to the residual stream.

    Args:
        config: The shape of the model.
        dtype: Keras dtype policy.
        name: The name of the layer.
    """

    def __init__(self, config: LlamaConfig, dtype: str, name: str) -> None:
        super().__init__(dtype=dtype, name=name)
        self.config = config
        queries = config.num_heads * config.head_width
        keys = config.key_value_heads * config.head_width
        dense = functools.partial(keras.layers.Dense, use_bias=False, dtype=dtype)
        project = functools.partial(dense, use_bias=config.query_bias)
        norm = functools.partial(
            keras.layers.RMSNormalization, epsilon=config.norm_epsilon, dtype=dtype
        )
        self.attention_norm = norm(name="attention_norm")
        self.query = project(queries, name="query")
        self.key = project(keys, name="key")
        self.value = project(keys, name="value")
        if config.query_norm:
            self.query_norm = norm(name="query_norm")
            self.key_norm = norm(name="key_norm")
        self.output_dense = dense(config.hidden_dim, name="output")
        self.attention_dropout = keras.layers.Dropout(config.dropout, dtype=dtype)
        self.feedforward_norm = norm(name="feedforward_norm")
        self.gate = dense(config.feedforward_dim, activation="silu", name="gate")
        self.expand = dense(config.feedforward_dim, name="expand")
        self.contract = dense(config.hidden_dim, name="contract")
        self.feedforward_dropout = keras.layers.Dropout(config.dropout, dtype=dtype)

    def build(self, input_shape):
        """Create the variables."""
        config, before = self.config, tuple(input_shape[:-1])
        for layer in (self.attention_norm, self.query, self.key, self.value):
            layer.build(input_shape)
        if config.query_norm:
            self.query_norm.build((*before, config.num_heads, config.head_width))
            self.key_norm.build((*before, config.key_value_heads, config.head_width))
        self.output_dense.build((*before, config.num_heads * config.head_width))
        for layer in (self.feedforward_norm, self.gate, self.expand):
            layer.build(input_shape)
        self.contract.build((*before, config.feedforward_dim))
        self.built = True

    def call(self, x, cosines, sines, training=False):
        """Return the residual stream [B, T, D] after the block.

        Args:
            x: The residual stream before it.
            cosines: Those of the angles at every position, float32[T, 1, K].
            sines: The sines, likewise.
            training: Whether dropout is active.
        """
        mixed = self.output_dense(self._attend(self.attention_norm(x), cosines, sines))
        x = x + self.attention_dropout(mixed, training=training)
        hidden = self.feedforward_norm(x)
        contracted = self.contract(self.gate(hidden) * self.expand(hidden))
        return x + self.feedforward_dropout(contracted, training=training)

    def _attend(self, x, cosines, sines):
        """Return the mixed values of all heads, [B, T, H K]."""
        config, ops = self.config, keras.ops
        time, width = x.shape[1], config.head_width
        groups, repeats = config.key_value_heads, config.num_heads // config.key_value_heads
        query = ops.reshape(self.query(x), (-1, time, config.num_heads, width))
        key = ops.reshape(self.key(x), (-1, time, groups, width))
        value = ops.reshape(self.value(x), (-1, time, groups, width))
        if config.query_norm:
            query, key = self.query_norm(query), self.key_norm(key)
        query, key = (_rotate(vectors, cosines, sines) for vectors in (query, key))
        query = ops.reshape(query, (-1, time, groups, repeats, width))
        scores = ops.cast(ops.einsum("btgrk,bsgk->bgrts", query, key), "float32") * width**-0.5
        positions = ops.arange(time)
        scores = ops.where(positions[:, None] >= positions, scores, _MASK)
        weights = ops.cast(ops.softmax(scores), value.dtype)
        mixed = ops.einsum("bgrts,bsgk->btgrk", weights, value)
        return ops.reshape(mixed, (-1, time, config.num_heads * width))


def _rotate(vectors, cosines, sines):
    """Turn vectors [B, T, heads, K] by the angles of their positions, in float32."""
    first, second = keras.ops.split(keras.ops.cast(vectors, "float32"), 2, axis=-1)
    turned = keras.ops.concatenate(
        [first * cosines - second * sines, second * cosines + first * sines], axis=-1
    )
    return keras.ops.cast(turned, vectors.dtype)


class LlamaModel(LanguageModel):
    """Embedding, `num_layers` x `Block`, norm, output."""

    config: LlamaConfig
    decoder_class = LlamaDecoder
    fusion = fusion

    def __init__(self, config: LlamaConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(config, vocab_size, dtype)
        self.embedding = keras_nlp.layers.ReversibleEmbedding(
            vocab_size,
            config.hidden_dim,
            tie_weights=config.tie_embeddings,
            dtype=dtype,
            name="embedding",
        )
        self.embedding_dropout = keras.layers.Dropout(config.dropout, dtype=dtype)
        self.blocks = [
            Block(config, dtype=dtype, name=f"block_{index}") for index in range(config.num_layers)
        ]
        self.norm = keras.layers.RMSNormalization(
            epsilon=config.norm_epsilon, dtype=dtype, name="norm"
        )

    def build(self, input_shape):
        """Create the variables."""
        self.embedding.build(input_shape)
        hidden_shape = (*input_shape, self.config.hidden_dim)
        for block in self.blocks:
            block.build(hidden_shape)
        self.norm.build(hidden_shape)
        self.built = True

    def call(self, token_ids, training=False):
        """Predict every next token of a window; see `LanguageModel.call`."""
        rates = keras.ops.convert_to_tensor(rotation_rates(self.config))
        angles = keras.ops.arange(token_ids.shape[1], dtype="float32")[:, None, None] * rates
        cosines, sines = keras.ops.cos(angles), keras.ops.sin(angles)
        x = self.embedding_dropout(self.embedding(token_ids), training=training)
        for block in self.blocks:
            x = block(x, cosines, sines, training=training)
        logits = self.embedding(self.norm(x), reverse=True)
        # float32 whatever the policy: a softmax over bfloat16 logits loses the small ones.
        return keras.ops.cast(logits, "float32")

    def initial_value(self, path, shape, generator):
        """Return GPT-2's: normal(0, 0.02), residual projections scaled by 1 / sqrt(2 x layers)."""
        if path.endswith("scale"):
            return np.ones(shape, np.float32)
        if path.endswith("bias"):
            return np.zeros(shape, np.float32)
        stddev = _INITIAL_STDDEV
        if path.endswith(("output/kernel", "contract/kernel")):
            stddev /= np.sqrt(2 * self.config.num_layers)
        return generator.normal(0, stddev, shape).astype(np.float32)

    def named_variables(self):
        """Return the variables by the names that `fuse` knows; see `LanguageModel`."""
        variables = {
            "token_embedding": self.embedding.embeddings,
            "norm/gamma": self.norm.scale,
        }
        if not self.config.tie_embeddings:
            variables["logits/kernel"] = self.embedding.reverse_embeddings
        for index, block in enumerate(self.blocks):
            own = {
                "query": block.query,
                "key": block.key,
                "value": block.value,
                "output": block.output_dense,
                "gate": block.gate,
                "expand": block.expand,
                "contract": block.contract,
            }
            for name, layer in own.items():
                variables[f"block_{index}/{name}/kernel"] = base_kernel(layer)
                if layer.use_bias:
                    variables[f"block_{index}/{name}/bias"] = layer.bias
            norms = ("query_norm", "key_norm") if self.config.query_norm else ()
            for name in ("attention_norm", "feedforward_norm", *norms):
                variables[f"block_{index}/{name}/gamma"] = getattr(block, name).scale
        return variables
