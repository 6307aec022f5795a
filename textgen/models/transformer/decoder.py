"""The Transformer that generates: plain TensorFlow ops, fused weights, a key/value cache.

Nothing here needs XLA. KerasNLP's own cache uses `keras.ops.slice_update`, which becomes an
XlaDynamicUpdateSlice op that TensorFlow Serving refuses.

Letters in shapes: B batch, T time, D hidden_dim, H heads, K = D / H, C capacity, L blocks.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.models.base import Decoder
from textgen.models.transformer.config import TransformerConfig
from textgen.models.transformer.fusion import MASK

LAYER_NORM_EPSILON = 1e-5


class TransformerDecoder(Decoder):
    """Prefill and step of a Transformer with the weights of `fuse`.

    The state is (keys, values) of each block, float32[B, H, C, K]. C is the capacity, not the
    context length: attention to empty positions costs as much as to others.
    """

    config: TransformerConfig
    _first_indices: tf.Tensor | None = None

    @property
    def max_positions(self) -> int:
        """The context length."""
        return self.config.context_length

    def prefill(self, token_ids, lengths, state=None):
        """Process the beginnings of texts; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))
        heads, width = self.config.num_heads, self.config.hidden_dim
        positions = tf.range(time)[None]
        # Padding needs no mask in attention: no real token looks to the right.
        biases, rotate = self._score_biases(positions, time), self._rotation(positions)
        x = tf.reshape(self._embed(token_ids, positions), (-1, width))
        caches: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = self.dense(self._norm(x), f"block_{index}/qkv")
            qkv = tf.reshape(qkv, (batch_size, time, 3, heads, width // heads))
            q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, K)
            q, k = rotate(q), rotate(k)
            mixed = tf.transpose(_attend(q, k, v, biases[index]), (0, 2, 1, 3))
            x = self._finish_block(x, tf.reshape(mixed, tf.shape(x)), f"block_{index}")
            caches += [k, v]
        return tf.reshape(self._norm(x), (batch_size, time, width)), tuple(caches)

    def capacity(self, state):
        """Return the number of positions in the caches; see `Decoder.capacity`."""
        return tf.shape(state[0])[2]

    def reserve(self, state, position, num_positions):
        """Return caches of at least `num_positions`, zero past `position`; see `Decoder.reserve`.

        `step` adds to these zeros.
        """
        capacity = self.capacity(state)
        is_read = tf.sequence_mask(position, capacity)[:, None, :, None]
        padding = [[0, 0], [0, 0], [0, tf.maximum(num_positions - capacity, 0)], [0, 0]]
        return tuple(tf.pad(tf.where(is_read, cache, 0.0), padding) for cache in state)

    def for_rows(self, num_rows):
        """Return a decoder for batches of `num_rows`; see `Decoder.for_rows`."""
        copy = type(self)(self.config, self.vocab_size, {})
        copy.weights = self.weights
        copy._first_indices = _first_indices(num_rows, self.config.num_heads)
        return copy

    def step(self, token_ids, state, position):
        """Process one more token per row; see `Decoder.step`."""
        heads, width = self.config.num_heads, self.config.hidden_dim
        positions = position[:, None, None, None]
        # The (row, head, position) of this token's keys and values, which are B x H x 1 vectors.
        first = self._first_indices
        if first is None:
            first = _first_indices(tf.shape(token_ids)[0], heads)
        indices = first + positions * [0, 0, 1]
        biases = self._score_biases(position[:, None], self.capacity(state))
        rotate, x = self._rotation(position[:, None]), self._embed(token_ids, position)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = self.dense(self._norm(x), f"block_{index}/qkv")
            qkv = tf.reshape(qkv, (-1, 3 * heads, 1, width // heads))
            q, k, v = tf.split(qkv, 3, axis=1)  # (B, H, 1, K)
            q, k = rotate(q), rotate(k)
            keys = _put(state[2 * index], indices, k)
            values = _put(state[2 * index + 1], indices, v)
            mixed = _attend(q, keys, values, biases[index])
            x = self._finish_block(x, tf.reshape(mixed, (-1, width)), f"block_{index}")
            new_state += [keys, values]
        return self._norm(x), tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self.dense(hidden, "logits")

    def _finish_block(self, x, mixed, block):
        """Project the mixed heads and run the feed-forward half; x and mixed are [N, D]."""
        x += self.dense(mixed, f"{block}/output")
        expanded = self.dense(self._norm(x), f"{block}/expand")
        return x + self.dense(_gelu(expanded), f"{block}/contract")

    def _embed(self, token_ids, positions):
        """Return the embeddings [..., D] of tokens at positions, int32[...] each."""
        x = tf.gather(self.weights["token_embedding"], token_ids)
        if "position_embedding" in self.weights:
            x += tf.gather(self.weights["position_embedding"], positions)
        return x

    def _rotation(self, positions):
        """Return a function that rotates queries or keys [B, H, T, K] at int32[B, T]."""
        if self.config.positions != "rotary":
            return lambda x: x
        tables = (self.weights["rotation/cosines"], self.weights["rotation/sines"])
        cosines, sines = (tf.gather(table, positions)[:, None] for table in tables)

        def rotate(x):
            first, second = tf.split(x, 2, axis=-1)
            return x * cosines + tf.concat([-second, first], -1) * sines

        return rotate

    def _score_biases(self, positions, capacity):
        """Return what each block adds to the scores of queries: L x [B, H, T, capacity].

        Args:
            positions: int32[B, T], those of the queries.
            capacity: int32[], the number of keys.
        """
        distances = positions[:, :, None] - tf.range(capacity)
        if self.config.positions != "relative":
            return [tf.where(distances < 0, MASK, 0.0)[:, None]] * self.config.num_layers
        biases = tf.gather(self.weights["distance_bias"], tf.maximum(distances + 1, 0))
        return tf.unstack(tf.transpose(biases, (3, 0, 4, 1, 2)), self.config.num_layers)

    def _norm(self, x):
        """Normalize centered vectors, without scale and offset; see `fuse`."""
        variance = tf.reduce_mean(tf.square(x), -1, keepdims=True)
        return x * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)


def _first_indices(num_rows, heads):
    """Return the indices of the vectors at position 0: int32[B, H, 1, 3] of (row, head, 0)."""
    rows, columns = tf.meshgrid(tf.range(num_rows), tf.range(heads), indexing="ij")
    return tf.stack([rows, columns, tf.zeros_like(rows)], -1)[:, :, None]


def _put(cache, indices, vectors):
    """Return the cache with vectors at indices that hold zeros.

    TensorFlow adds in place if the cache has no other user, while
    `tf.tensor_scatter_nd_update` copies the whole cache every time.
    """
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=cache, indices=indices, updates=vectors)


def _attend(q, k, v, bias):
    """Dot-product attention of [B, H, T, K] queries (Vaswani et al. 2017, section 3.2.1)."""
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + bias), v)


def _gelu(x):
    """The tanh form of GELU, by tanh(u) = 2 sigmoid(2u) - 1 and without a slow general power."""
    return x * tf.sigmoid(x * (tf.square(x) * (2 * 0.7978845608 * 0.044715) + 2 * 0.7978845608))
