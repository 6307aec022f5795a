"""The Transformer that generates: plain TensorFlow ops, fused weights, a key/value cache.

Nothing here needs XLA. KerasNLP's own cache uses `keras.ops.slice_update`, which becomes an
XlaDynamicUpdateSlice op that TensorFlow Serving refuses.

Letters in shapes: B batch, T time, D hidden_dim, H heads, K = D / H, C capacity, L blocks.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.models.cached_decoder import CachedDecoder, put, replace
from textgen.models.transformer.config import TransformerConfig
from textgen.models.transformer.fusion import MASK

LAYER_NORM_EPSILON = 1e-5


class TransformerDecoder(CachedDecoder):
    """Prefill and step of a Transformer with the weights of `fuse`; all heads are cached."""

    config: TransformerConfig
    extends = True

    @property
    def num_cached_heads(self) -> int:
        """The number of heads, H."""
        return self.config.num_heads

    def prefill(self, token_ids, lengths, state=None):
        """Process the beginnings of texts; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))
        heads, width = self.config.num_heads, self.config.hidden_dim
        positions = tf.range(time)[None]
        # Padding needs no mask in attention: no real token looks to the right.
        biases, tables = self._score_biases(positions, time), self._tables(positions)
        rotate = self._rotation(tables)
        x = tf.reshape(self._embed(token_ids, tables), (-1, width))
        caches: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = self.dense(self._norm(x), f"block_{index}/qkv")
            qkv = tf.reshape(qkv, (batch_size, time, 3, heads, width // heads))
            q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, K)
            q, k = rotate(q), rotate(k)
            mixed = tf.transpose(self.attend(q, k, v, biases[index]), (0, 2, 1, 3))
            x = self._finish_block(x, tf.reshape(mixed, tf.shape(x)), f"block_{index}")
            caches += [k, v]
        return tf.reshape(self._norm(x), (batch_size, time, width)), tuple(caches)

    @property
    def num_biases(self):
        """How many biases of scores are looked up for each key."""
        if self.config.positions != "relative":
            return 1
        return self.config.num_layers * self.config.num_heads

    def positional(self, positions, capacity):
        """Look up indices, biases [N, L, B, H, 1, C] and tables; see `CachedDecoder`."""
        indices = self.indices_at(positions[..., None])
        steps = tf.unstack(tf.shape(positions))  # N, B
        positions = tf.reshape(positions, (-1, 1))
        different = self._score_biases(positions, capacity)[: self._num_different]
        biases = tf.reshape(tf.stack(different, 1), (*steps, len(different), -1, 1, capacity))
        biases = tf.transpose(biases, (0, 2, 1, 3, 4, 5))
        tables = (tf.reshape(t, (*steps, *t.shape[1:])) for t in self._tables(positions))
        return indices, biases, *tables

    def step(self, token_ids, state, position, looked_up=()):
        """Process one more token per row; see `Decoder.step`."""
        looked_up = looked_up or self.looked_up_at(position, self.capacity(state))
        indices, biases, *tables = looked_up
        different = tf.unstack(biases, self._num_different)
        biases = different * (self.config.num_layers // self._num_different)
        return self._advance(token_ids[:, None], state, indices, biases, tables)

    def extend(self, token_ids, state, position):
        """Process several more tokens per row; see `Decoder.extend`."""
        positions = position[:, None] + tf.range(token_ids.shape[1])
        indices, tables = self.indices_at(positions), self._tables(positions)
        biases = self._score_biases(positions, self.capacity(state))
        x, state = self._advance(token_ids, state, indices, biases, tables)
        return tf.reshape(x, (-1, token_ids.shape[1], self.config.hidden_dim)), state

    def _advance(self, token_ids, state, indices, biases, tables):
        """Process tokens int32[B, T]; T is known when tracing.

        Args:
            token_ids: The tokens.
            state: As in `step`.
            indices: Where they are put; see `indices_at`.
            biases: The result of `_score_biases`.
            tables: The result of `_tables`.

        Returns:
            The hidden vectors float32[B T, D] after each token, and the new state.
        """
        heads, width = self.config.num_heads, self.config.hidden_dim
        time = token_ids.shape[1]
        if time == 1:
            # The heads of one token are in order already, and `reserve` has cleared its place.
            shape, swap, write = (-1, 3 * heads, 1, width // heads), (lambda x: x), put
        else:
            shape, swap, write = (-1, time, 3 * heads, width // heads), _swap, replace
        rotate = self._rotation(tables)
        x = tf.reshape(self._embed(token_ids, tables), (-1, width))
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = tf.reshape(self.dense(self._norm(x), f"block_{index}/qkv"), shape)
            q, k, v = tf.split(swap(qkv), 3, axis=1)  # (B, H, T, K)
            q, k = rotate(q), rotate(k)
            keys = write(state[2 * index], indices, k)
            values = write(state[2 * index + 1], indices, v)
            mixed = swap(self.attend(q, keys, values, biases[index]))
            x = self._finish_block(x, tf.reshape(mixed, (-1, width)), f"block_{index}")
            new_state += [keys, values]
        return self._norm(x), tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self.dense(hidden, "logits")

    def multiply(self, x, name):
        """Return x [N, in] times a kernel: [N, out]; the parts of a kernel add up."""
        if name not in self._parts:
            return super().multiply(x, name)
        parts = self._parts[name]  # [parts, in / parts, out]
        # [parts, N, in / parts]
        cut = tf.reshape(x, tf.concat([[-1], tf.shape(parts)[:2]], 0))
        return tf.reduce_sum(tf.matmul(tf.transpose(cut, (1, 0, 2)), parts), 0)

    def _finish_block(self, x, mixed, block):
        """Project the mixed heads and run the feed-forward half; x and mixed are [N, D]."""
        x += self.dense(mixed, f"{block}/output")
        expanded = self.dense(self._norm(x), f"{block}/expand")
        return x + self.dense(_gelu(expanded), f"{block}/contract")

    def _tables(self, positions):
        """Return what other tables than those of biases have for positions int32[B, T].

        Returns:
            The embeddings [B, T, D], the cosines and sines [B, 1, T, K], or nothing.
        """
        if self.config.positions == "rotary":
            tables = (self.weights["rotation/cosines"], self.weights["rotation/sines"])
            return [tf.gather(table, positions)[:, None] for table in tables]
        if "position_embedding" in self.weights:
            return [tf.gather(self.weights["position_embedding"], positions)]
        return []

    def _embed(self, token_ids, tables):
        """Return the embeddings [B, T, D] of tokens int32[B, T]."""
        x = tf.gather(self.weights["token_embedding"], token_ids)
        return x + tables[0] if "position_embedding" in self.weights else x

    def _rotation(self, tables):
        """Return a function that rotates queries or keys [B, H, T, K]."""
        if self.config.positions != "rotary":
            return lambda x: x
        cosines, sines = tables

        def rotate(x):
            first, second = tf.split(x, 2, axis=-1)
            return x * cosines + tf.concat([-second, first], -1) * sines

        return rotate

    @property
    def _num_different(self):
        """The number of blocks whose biases differ."""
        return self.config.num_layers if self.config.positions == "relative" else 1

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
        layers, heads = self.config.num_layers, self.config.num_heads
        shape = tf.shape(distances)
        # Two dimensions trade places, which is much faster than five that move.
        biases = tf.reshape(biases, (shape[0], shape[1] * shape[2], layers * heads))
        biases = tf.reshape(tf.transpose(biases, (0, 2, 1)), (shape[0], -1, *tf.unstack(shape[1:])))
        return tf.split(biases, layers, axis=1)

    def _norm(self, x):
        """Normalize centered vectors, without scale and offset; see `fuse`."""
        variance = tf.reduce_mean(tf.square(x), -1, keepdims=True)
        return x * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)


def _swap(x):
    """Swap time and heads: [B, H, T, K] from [B, T, H, K], or back."""
    return tf.transpose(x, (0, 2, 1, 3))


def _gelu(x):
    """The tanh form of GELU, by tanh(u) = 2 sigmoid(2u) - 1 and without a slow general power."""
    return x * tf.sigmoid(x * (tf.square(x) * (2 * 0.7978845608 * 0.044715) + 2 * 0.7978845608))
