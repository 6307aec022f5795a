"""The Transformer as it writes: plain TensorFlow ops, fused weights, a key/value cache.

Nothing here needs XLA: `keras.ops.slice_update`, which KerasNLP's own cache uses,
becomes an XlaDynamicUpdateSlice op, and TensorFlow Serving refuses those.

A token of a small model costs as many operations as it takes, not what they compute.
`fuse` therefore moves into the weights what can be done once:

- Every vector added to the residual stream is centred, so that layer normalization
  finds a mean of 0 and only has to scale (Ashkboos et al. 2024,
  https://arxiv.org/abs/2401.15024, section 3.2).
- The scale and offset of a normalization go into the matrix behind it.
- Queries come out divided by sqrt(K).
- What is added to attention scores is one table of all blocks, with the mask as the bias of the
  distance -1, so that a token looks it up once.

Letters in shapes: B batch, T time, D hidden_dim, H heads, K = D / H, C room in the cache, L blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.models.base import Decoder

LAYER_NORM_EPSILON = 1e-5


def fuse(weights: Mapping[str, np.ndarray], config: ModelConfig) -> dict[str, np.ndarray]:
    """Return what `TransformerDecoder` computes with.

    Args:
        weights: `token_embedding` [V, D], `norm/gamma` and `norm/beta` [D], and of every
            `block_i/`: `distance_bias` [H, context_length], and `attention_norm/`, `query/`,
            `key/`, `value/`, `output/`, `feedforward_norm/`, `expand/`, `contract/`, each
            with gamma and beta [D] or a kernel [in, out] and a bias [out].
        config: the shape of the model.
    """
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    scale = np.sqrt(config.num_heads / config.hidden_dim)

    def centred(name):
        return w[name] - w[name].mean(-1, keepdims=True)

    def behind_norm(norm, kernel, bias):
        """Fold norm(x) * gamma + beta, times the kernel, plus the bias."""
        gamma, beta = w[f"{norm}/gamma"], w[f"{norm}/beta"]
        return gamma[:, None] * kernel, beta @ kernel + bias

    # [context_length, L, H], behind the row of distance -1.
    biases = [w[f"block_{index}/distance_bias"].T for index in range(config.num_layers)]
    fused = {
        "token_embedding": centred("token_embedding"),
        "distance_bias": np.pad(
            np.stack(biases, 1), ((1, 0), (0, 0), (0, 0)), constant_values=-1e9
        ),
    }
    fused["logits/kernel"], fused["logits/bias"] = behind_norm("norm", w["token_embedding"].T, 0)
    for index in range(config.num_layers):
        block = f"block_{index}"
        kernels = [w[f"{block}/{name}/kernel"] for name in ("query", "key", "value")]
        biases = [w[f"{block}/{name}/bias"] for name in ("query", "key", "value")]
        kernels[0], biases[0] = kernels[0] * scale, biases[0] * scale
        fused[f"{block}/qkv/kernel"], fused[f"{block}/qkv/bias"] = behind_norm(
            f"{block}/attention_norm", np.concatenate(kernels, 1), np.concatenate(biases)
        )
        fused[f"{block}/expand/kernel"], fused[f"{block}/expand/bias"] = behind_norm(
            f"{block}/feedforward_norm", w[f"{block}/expand/kernel"], w[f"{block}/expand/bias"]
        )
        for name in ("output", "contract"):
            fused[f"{block}/{name}/kernel"] = centred(f"{block}/{name}/kernel")
            fused[f"{block}/{name}/bias"] = centred(f"{block}/{name}/bias")
    return {name: value.astype(np.float32) for name, value in fused.items()}


class TransformerDecoder(Decoder):
    """Prefill and step of `TransformerModel`; the state is (keys, values) of each block.

    Keys and values are float32[B, H, C, K]. C is the room there is, not the context length:
    attention to empty places costs as much. `reserve` fills these with zeros, for `step`.
    """

    _first_places: tf.Tensor | None = None

    @property
    def max_positions(self) -> int:
        """The context length."""
        return self.config.context_length

    def prefill(self, token_ids, lengths):
        """Read the beginnings of texts; see `Decoder.prefill`."""
        batch_size, time = tf.unstack(tf.shape(token_ids))
        heads, width = self.config.num_heads, self.config.hidden_dim
        # Padding needs no mask in attention: no real token looks to the right.
        biases = self._score_biases(tf.range(time)[None], time)
        x = tf.gather(self.weights["token_embedding"], tf.reshape(token_ids, [-1]))
        state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = self._dense(self._norm(x), f"block_{index}/qkv")
            qkv = tf.reshape(qkv, (batch_size, time, 3, heads, width // heads))
            q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))  # (B, H, T, K)
            mixed = tf.transpose(_attend(q, k, v, biases[index]), (0, 2, 1, 3))
            x = self._finish_block(x, tf.reshape(mixed, tf.shape(x)), f"block_{index}")
            state += [k, v]
        return tf.reshape(self._norm(x), (batch_size, time, width)), tuple(state)

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
        """Return a decoder for so many rows; see `Decoder.for_rows`."""
        copy = type(self)(self.config, self.vocab_size, {})
        copy.weights = self.weights
        copy._first_places = _first_places(num_rows, self.config.num_heads)
        return copy

    def step(self, token_ids, state, position):
        """Read one more token a row; see `Decoder.step`."""
        heads, width = self.config.num_heads, self.config.hidden_dim
        positions = position[:, None, None, None]
        # Where this token's keys and values go: (row, head, position) for B x H x 1 vectors.
        first = self._first_places
        if first is None:
            first = _first_places(tf.shape(token_ids)[0], heads)
        places = first + positions * [0, 0, 1]
        biases = self._score_biases(position[:, None], self.capacity(state))
        x = tf.gather(self.weights["token_embedding"], token_ids)
        new_state: list[tf.Tensor] = []
        for index in range(self.config.num_layers):
            qkv = self._dense(self._norm(x), f"block_{index}/qkv")
            qkv = tf.reshape(qkv, (-1, 3 * heads, 1, width // heads))
            q, k, v = tf.split(qkv, 3, axis=1)  # (B, H, 1, K)
            keys = _write(state[2 * index], places, k)
            values = _write(state[2 * index + 1], places, v)
            mixed = _attend(q, keys, values, biases[index])
            x = self._finish_block(x, tf.reshape(mixed, (-1, width)), f"block_{index}")
            new_state += [keys, values]
        return self._norm(x), tuple(new_state)

    def logits(self, hidden):
        """Predict the next token; see `Decoder.logits`."""
        return self._dense(hidden, "logits")

    def _finish_block(self, x, mixed, block):
        """Project the mixed heads, then the feed-forward half; x and mixed are (., D)."""
        x += self._dense(mixed, f"{block}/output")
        expanded = self._dense(self._norm(x), f"{block}/expand")
        return x + self._dense(_gelu(expanded), f"{block}/contract")

    def _score_biases(self, positions, room):
        """What each block adds to the scores of queries at int32[B, T]: L x (B, H, T, room)."""
        distances = positions[:, :, None] - tf.range(room)
        biases = tf.gather(self.weights["distance_bias"], tf.maximum(distances + 1, 0))
        return tf.unstack(tf.transpose(biases, (3, 0, 4, 1, 2)), self.config.num_layers)

    def _dense(self, x, name):
        return tf.nn.bias_add(
            tf.matmul(x, self.weights[f"{name}/kernel"]), self.weights[f"{name}/bias"]
        )

    def _norm(self, x):
        """Layer normalization of centred vectors without scale and offset; see `fuse`."""
        variance = tf.reduce_mean(tf.square(x), -1, keepdims=True)
        return x * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)


def _first_places(num_rows, heads):
    """Where the vectors of position 0 are: int32[B, H, 1, 3] of (row, head, 0)."""
    rows, columns = tf.meshgrid(tf.range(num_rows), tf.range(heads), indexing="ij")
    return tf.stack([rows, columns, tf.zeros_like(rows)], -1)[:, :, None]


def _write(cache, places, new):
    """Write vectors into places of a cache that hold zeros.

    By adding, because TensorFlow adds in place where nobody else holds the tensor, while
    `tf.tensor_scatter_nd_update` copies the whole cache every time.
    """
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=cache, indices=places, updates=new)


def _attend(q, k, v, bias):
    """Dot-product attention, (B, H, ., K); Vaswani et al. 2017, section 3.2.1."""
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + bias), v)


def _gelu(x):
    """The tanh form of GELU; tanh(u) = 2 sigmoid(2u) - 1, and no general power for a cube."""
    return x * tf.sigmoid(x * (tf.square(x) * (2 * 0.7978845608 * 0.044715) + 2 * 0.7978845608))
