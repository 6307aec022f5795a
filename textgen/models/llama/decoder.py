"""The Llama family's model that generates: plain TensorFlow ops, fused weights, a cache.

Letters in shapes: B batch, T time, N = B x T, D hidden_dim, H heads, G heads of keys and values,
R = H / G, K width of a head, C capacity.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.models.cached_decoder import CachedDecoder, put
from textgen.models.llama.config import LlamaConfig
from textgen.models.llama.rotation import rotation_rates

# A prompt is processed in parts of this many tokens. The attention scores of a long one as a
# whole would take more memory than the model.
_PART = 256
_MASK = -1e9


class LlamaDecoder(CachedDecoder):
    """Prefill and step of a model of the Llama family with the weights of `fuse`."""

    config: LlamaConfig

    @property
    def num_cached_heads(self) -> int:
        """The number of heads of keys and values, G."""
        return self.config.key_value_heads

    def prefill(self, token_ids, lengths, state=None):
        """Process the beginnings of texts; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))
        groups, head_width, width = self._widths()
        num_caches = 2 * self.config.num_layers

        def extend(start, hidden, caches):
            more, caches = self._extend(token_ids[:, start : start + _PART], start, caches)
            return start + tf.shape(more)[1], tf.concat([hidden, more], 1), caches

        _, hidden, caches = tf.while_loop(
            lambda start, *_: start < time,
            extend,
            (
                tf.constant(0),
                tf.zeros((batch_size, 0, width)),
                (tf.zeros((batch_size, groups, 0, head_width)),) * num_caches,
            ),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, None, width]),
                (tf.TensorShape([None, groups, None, head_width]),) * num_caches,
            ),
        )
        return hidden, caches

    def _extend(self, token_ids, start, caches):
        """Process tokens int32[B, T] that follow `start` others, whose keys are in the caches.

        Returns:
            The hidden vectors [B, T, D], and the caches with the tokens' keys and values.
        """
        batch_size, time = tf.unstack(tf.shape(token_ids))
        groups, head_width, width = self._widths()
        heads = self.config.num_heads
        repeats = heads // groups
        positions = start + tf.range(time)
        rotate = _rotation(*self._rotations(positions))
        # Padding needs no mask: no real token looks to the right. The queries of a group are in
        # the order of time, R each.
        mask = tf.repeat(_score_mask(positions, start + time), repeats, axis=0)  # [T R, C]
        # Made once, because a graph of many blocks is slow to load.
        shape = tf.stack([batch_size, time, heads + 2 * groups, head_width])
        by_time = tf.stack([batch_size, time, groups, repeats, head_width])
        by_group = tf.stack([batch_size, groups, time, repeats, head_width])
        rows = tf.stack([batch_size, groups, time * repeats, head_width])
        x = tf.reshape(tf.gather(self.weights["token_embedding"], token_ids), (-1, width))
        new_caches: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            block, cached = f"block_{index}", caches[2 * index : 2 * index + 2]
            q, k, v = self._project(x, shape, rotate, block)
            keys, values = (
                tf.concat([cache, tf.transpose(new, (0, 2, 1, 3))], 2)
                for cache, new in zip(cached, (k, v), strict=True)
            )
            q = tf.transpose(tf.reshape(q, by_time), (0, 2, 1, 3, 4))
            mixed = self.attend(tf.reshape(q, rows), keys, values, mask)
            mixed = tf.transpose(tf.reshape(mixed, by_group), (0, 2, 1, 3, 4))
            x = self._finish_block(x, tf.reshape(mixed, (-1, heads * head_width)), block)
            new_caches += [keys, values]
        return tf.reshape(self._last_norm(x), (batch_size, time, width)), tuple(new_caches)

    def positional(self, positions, capacity):
        """Look up indices, cosines, sines and mask; see `CachedDecoder.positional`."""
        steps = tf.unstack(tf.shape(positions))  # N, B
        flat = tf.reshape(positions, [-1])
        tables = (tf.reshape(t, (*steps, *t.shape[1:])) for t in self._rotations(flat))
        mask = tf.reshape(_score_mask(flat, capacity), (*steps, 1, 1, capacity))
        return self.indices_at(positions[..., None]), *tables, mask

    def step(self, token_ids, state, position, looked_up=()):
        """Process one more token per row; see `Decoder.step`."""
        groups, head_width, _ = self._widths()
        looked_up = looked_up or self.looked_up_at(position, self.capacity(state))
        indices, cosines, sines, mask = looked_up
        rotate = _rotation(cosines, sines)
        shape = (-1, self.config.num_heads + 2 * groups, head_width)
        x = tf.gather(self.weights["token_embedding"], token_ids)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            block = f"block_{index}"
            q, k, v = self._project(x, shape, rotate, block)
            keys = put(state[2 * index], indices, tf.expand_dims(k, 2))
            values = put(state[2 * index + 1], indices, tf.expand_dims(v, 2))
            q = tf.reshape(q, (-1, groups, self.config.num_heads // groups, head_width))
            mixed = self.attend(q, keys, values, mask)
            mixed = tf.reshape(mixed, (-1, self.config.num_heads * head_width))
            x = self._finish_block(x, mixed, block)
            new_state += [keys, values]
        return self._last_norm(x), tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self.multiply(hidden, "logits")

    def kernel(self, name):
        """Return a kernel, float32[out, in]; that of tied logits is the embedding."""
        if name == "logits" and self.config.tie_embeddings:
            return self.weights["token_embedding"]
        return super().kernel(name)

    def multiply(self, x, name):
        """Return x [N, in] times a kernel: [N, out]."""
        if name not in self._parts:
            return tf.matmul(x, self.kernel(name), transpose_b=True)
        # [parts, out / parts, N]
        parts = tf.matmul(self._parts[name], tf.expand_dims(x, 0), transpose_b=True)
        return tf.transpose(tf.reshape(parts, (self.kernel(name).shape[0], -1)))

    def _widths(self):
        """Return G, K and D."""
        config = self.config
        return config.key_value_heads, config.head_width, config.hidden_dim

    def _project(self, x, shape, rotate, block):
        """Return queries [..., H, K], keys and values [..., G, K] of x [N, D].

        Args:
            x: The residual stream.
            shape: That of all of them together, [..., H + 2 G, K].
            rotate: The result of `_rotation`.
            block: The name of the block.
        """
        heads, groups = self.config.num_heads, self.config.key_value_heads
        qkv = self.multiply(self._norm(x), f"{block}/qkv")
        if self.config.query_bias:
            qkv = tf.nn.bias_add(qkv, self.weights[f"{block}/qkv/bias"])
        qk, v = tf.split(tf.reshape(qkv, shape), (heads + groups, groups), axis=-2)
        if self.config.query_norm:
            qk = self._norm(qk) * self.weights[f"{block}/query_key_norm/gamma"]
        q, k = tf.split(rotate(qk), (heads, groups), axis=-2)
        return q, k, v

    def _rotations(self, positions):
        """Return cosines and sines [T, 1, K] for positions int32[T]."""
        angles = tf.cast(positions, tf.float32)[:, None] * rotation_rates(self.config)
        cosines, sines = tf.cos(angles), tf.sin(angles)
        cosines = tf.concat([cosines, cosines], 1)[:, None]
        sines = tf.concat([-sines, sines], 1)[:, None]
        return cosines, sines

    def _finish_block(self, x, mixed, block):
        """Project the mixed heads [N, H K] and run the gated layer; x is [N, D]."""
        x += self.multiply(mixed, f"{block}/output")
        both = self.multiply(self._norm(x), f"{block}/gate_expand")
        gate, expanded = tf.split(both, 2, axis=1)
        opened = gate * tf.sigmoid(gate) * expanded
        return x + self.multiply(opened, f"{block}/contract")

    def _norm(self, x):
        """Normalize vectors, without scale; see `fuse`."""
        mean_square = tf.reduce_mean(tf.square(x), -1, keepdims=True)
        return x * tf.math.rsqrt(mean_square + self.config.norm_epsilon)

    def _last_norm(self, x):
        return self._norm(x) * self.weights["norm/gamma"]


def _rotation(cosines, sines):
    """Return a function that turns vectors [..., T, heads, K]; see `LlamaDecoder._rotations`."""

    def rotate(x):
        first, second = tf.split(x, 2, axis=-1)
        return x * cosines + tf.concat([second, first], -1) * sines

    return rotate


def _score_mask(positions, capacity):
    """Return what is added to the scores of keys, float32[T, capacity], for queries int32[T]."""
    return tf.where(positions[:, None] < tf.range(capacity), _MASK, 0.0)
