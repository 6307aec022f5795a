"""The Transformer as it writes: plain TensorFlow ops, fused weights, a key/value cache.

Nothing here needs XLA: `keras.ops.slice_update`, which KerasNLP's own cache uses,
becomes an XlaDynamicUpdateSlice op, and TensorFlow Serving refuses those.

Letters in shapes: B batch, T time, D hidden_dim, H heads, K = D / H, C context_length.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.models.base import Decoder

LAYER_NORM_EPSILON = 1e-5


class TransformerDecoder(Decoder):
    """Prefill and step of `TransformerModel`; the state is (keys, values) of each block."""

    @property
    def max_positions(self) -> int:
        """Tokens the cache can hold."""
        return self.config.context_length

    @property
    def _head_dim(self) -> int:
        return self.config.hidden_dim // self.config.num_heads

    def initial_state(self, batch_size):
        """Return empty caches, float32[B, H, C, K], keys and values of each block in turn."""
        shape = (batch_size, self.config.num_heads, self.max_positions, self._head_dim)
        return tuple(tf.zeros(shape) for _ in range(2 * self.config.num_layers))

    def prefill(self, token_ids, lengths):
        """Read the prompts; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))
        heads, head_dim = self.config.num_heads, self._head_dim
        # Padding needs no mask of its own: no real token looks to the right, and a
        # padded place of the cache is overwritten before its position is reached.
        causal = tf.linalg.band_part(tf.ones((time, time), tf.bool), -1, 0)
        padding = [[0, 0], [0, 0], [0, self.max_positions - time], [0, 0]]
        x = tf.gather(self.weights["token_embedding"], token_ids)
        x = tf.reshape(x + self.weights["position_embedding"][:time], (-1, self.config.hidden_dim))
        state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            block = f"block_{index}"
            qkv = self._dense(self._norm(x, f"{block}/attention_norm"), f"{block}/qkv")
            qkv = tf.reshape(qkv, (batch_size, time, 3, heads, head_dim))
            q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, K)
            mixed = tf.transpose(self._attend(q, k, v, causal), (0, 2, 1, 3))
            x = self._finish_block(x, tf.reshape(mixed, tf.shape(x)), block)
            state += [tf.pad(k, padding), tf.pad(v, padding)]
        last = tf.range(batch_size) * time + lengths - 1
        return self._logits(tf.gather(x, last)), tuple(state)

    def step(self, token_ids, state, position):
        """Read one more token a row; see `Decoder.step`."""
        heads, head_dim = self.config.num_heads, self._head_dim
        batch_size = tf.shape(token_ids)[0]
        visible = tf.range(self.max_positions) <= position[:, None, None, None]  # (B, 1, 1, C)
        # Where this token's key and value go: (row, head, position) for B x H vectors.
        rows, columns = tf.meshgrid(tf.range(batch_size), tf.range(heads), indexing="ij")
        places = tf.stack([rows, columns, tf.broadcast_to(position[:, None], tf.shape(rows))], -1)
        x = tf.gather(self.weights["token_embedding"], token_ids)
        x += tf.gather(self.weights["position_embedding"], position)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            block = f"block_{index}"
            qkv = self._dense(self._norm(x, f"{block}/attention_norm"), f"{block}/qkv")
            q, k, v = tf.unstack(tf.reshape(qkv, (batch_size, 3, heads, head_dim)), axis=1)
            keys = tf.tensor_scatter_nd_update(state[2 * index], places, k)
            values = tf.tensor_scatter_nd_update(state[2 * index + 1], places, v)
            mixed = self._attend(q[:, :, None, :], keys, values, visible)  # (B, H, 1, K)
            x = self._finish_block(x, tf.reshape(mixed, tf.shape(x)), block)
            new_state += [keys, values]
        return self._logits(x), tuple(new_state)

    def _attend(self, q, k, v, mask):
        """Scaled dot-product attention, (B, H, ., K); Vaswani et al. 2017, section 3.2.1."""
        scores = tf.matmul(q * self._head_dim**-0.5, k, transpose_b=True)
        return tf.matmul(tf.nn.softmax(tf.where(mask, scores, -1e9)), v)

    def _finish_block(self, x, mixed, block):
        """Project the mixed heads, then the feed-forward half; x and mixed are (., D)."""
        x += self._dense(mixed, f"{block}/output")
        expanded = self._dense(self._norm(x, f"{block}/feedforward_norm"), f"{block}/expand")
        return x + self._dense(tf.nn.gelu(expanded, approximate=True), f"{block}/contract")

    def _logits(self, x):
        x = self._norm(x, "norm")
        return tf.matmul(x, self.weights["token_embedding"], transpose_b=True)

    def _dense(self, x, name):
        return tf.nn.bias_add(
            tf.matmul(x, self.weights[f"{name}/kernel"]), self.weights[f"{name}/bias"]
        )

    def _norm(self, x, name):
        """Layer normalization over the last axis (Ba et al. 2016)."""
        centered = x - tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), -1, keepdims=True)
        scale = self.weights[f"{name}/gamma"] * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)
        return centered * scale + self.weights[f"{name}/beta"]
