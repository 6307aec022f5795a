"""A decoder whose state is a cache of the keys and values of attention.

Letters in shapes: B batch, H heads, G heads of keys and values, T time, C capacity, K width of a
head.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.models.base import Decoder
from textgen.models.kernel_parts import cut, num_parts

# As many biases are looked up for several steps as fit in 16 MB.
_MAX_BIASES = 2**22


class CachedDecoder(Decoder):
    """A decoder with the state (keys, values) of each block, float32[B, G, C, K].

    C is the capacity, not the context length: attention to empty positions costs as much as to
    others.
    """

    _first_indices: tf.Tensor | None = None

    def __init__(self, config, vocab_size, weights):
        super().__init__(config, vocab_size, weights)
        self._parts: dict[str, tf.Tensor] = {}

    _seen: list[np.ndarray] | None = None

    @property
    def num_cached_heads(self) -> int:
        """The heads that have keys and values, G."""
        raise NotImplementedError

    @property
    def max_positions(self) -> int:
        """The context length."""
        return self.config.context_length

    def capacity(self, state):
        """Return the number of positions in the caches; see `Decoder.capacity`."""
        return tf.shape(state[0])[2]

    def reserve(self, state, position, num_positions):
        """Return caches of at least `num_positions`, zero past `position`; see `Decoder.reserve`.

        `put` adds to these zeros.
        """
        capacity = self.capacity(state)
        read = tf.minimum(tf.reduce_min(position), capacity)  # by every row
        is_read = tf.sequence_mask(position - read, capacity - read)[:, None, :, None]

        def make_room(cache):
            num_rows, heads, _, width = tf.unstack(tf.shape(cache))
            new = tf.zeros((num_rows, heads, tf.maximum(num_positions - capacity, 0), width))
            # Only the rest is compared: to copy is much faster.
            rest = tf.where(is_read, cache[:, :, read:], 0.0)
            return tf.concat([cache[:, :, :read], rest, new], 2)

        return tuple(make_room(cache) for cache in state)

    def for_rows(self, num_rows, num_threads=1):
        """Return a decoder for such batches; see `Decoder.for_rows`."""
        copy = type(self)(self.config, self.vocab_size, {})
        copy.weights = self.weights
        copy._first_indices = _first_indices(num_rows, self.num_cached_heads)
        names = {name.removesuffix("/kernel") for name in self.weights if name.endswith("/kernel")}
        kernels = {name: self.kernel(name) for name in sorted(names | {"logits"})}
        copy._parts = cut(kernels, num_parts(num_rows, num_threads))
        return copy

    @property
    def num_biases(self) -> int:
        """How many biases of scores are looked up for each key."""
        return 1

    def positional(self, positions: tf.Tensor, capacity: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Look up what `step` needs to know of positions.

        Args:
            positions: int32[N, B], those of the newest tokens of B rows in N steps.
            capacity: int32[], the number of keys.

        Returns:
            Tensors [N, ...]; the first are those of `indices_at`, int32[N, B, G, 1, 3].
        """
        raise NotImplementedError

    def looked_up_at(self, position: tf.Tensor, capacity: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return what `positional` looks up for a single step at int32[B]."""
        return tuple(table[0] for table in self.positional(position[None], capacity))

    def look_up(self, state, position, num_steps):
        """Look up the biases of scores and more; see `Decoder.look_up`."""
        capacity = self.capacity(state)
        biases_per_step = self.num_biases * tf.size(position) * capacity
        most = tf.maximum(_MAX_BIASES // tf.maximum(biases_per_step, 1), 1)
        num_steps = tf.minimum(num_steps, most)
        # Rows that have ended stay at the last position that the caches have.
        positions = tf.minimum(position + tf.range(num_steps)[:, None], capacity - 1)
        return num_steps, self.positional(positions, capacity)

    def attend(self, q, k, v, bias):
        """Return values mixed by dot-product attention (Vaswani et al. 2017, section 3.2.1).

        Args:
            q: Queries [B, G, N, K], divided by sqrt(K).
            k: Keys [B, G, C, K].
            v: Values, likewise.
            bias: What is added to the scores, and masks.
        """
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) + bias)
        if self._seen is not None:
            self._seen.append(weights.numpy())
        return tf.matmul(weights, v)

    def attention(self, token_ids: np.ndarray) -> np.ndarray:
        """Return where each head looks, outside of any graph.

        Args:
            token_ids: int32[T], T up to 256 and to `max_positions`.

        Returns:
            float32[layers, H, T, T], for the token at each position how much of its attention
            goes to each position up to its own; rows sum to 1.
        """
        watched = type(self)(self.config, self.vocab_size, {})
        watched.weights = self.weights
        seen: list[np.ndarray] = []
        object.__setattr__(watched, "_seen", seen)  # not tracked as a part of the module
        time = len(token_ids)
        watched.prefill(tf.constant([token_ids]), tf.constant([time]))
        # Several heads may share keys: the queries of each group are in the order of time.
        by_group = np.stack(seen).reshape(len(seen), self.num_cached_heads, time, -1, time)
        return by_group.swapaxes(2, 3).reshape(len(seen), -1, time, time)

    def indices_at(self, positions: tf.Tensor) -> tf.Tensor:
        """Return where `put` puts the newest tokens: the (row, head, position) of each vector.

        Args:
            positions: int32[..., B, T], those of each row's newest tokens.

        Returns:
            int32[..., B, G, T, 3].
        """
        first = self._first_indices
        if first is None:
            first = _first_indices(tf.shape(positions)[-2], self.num_cached_heads)
        return first + positions[..., None, :, None] * [0, 0, 1]


def put(cache: tf.Tensor, indices: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """Return the cache with vectors at indices that hold zeros.

    TensorFlow adds in place if the cache has no other user, while
    `tf.tensor_scatter_nd_update` copies the whole cache every time.

    Args:
        cache: float32[B, G, C, K].
        indices: int32[B, G, T, 3], from `indices_at`.
        vectors: float32[B, G, T, K].
    """
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=cache, indices=indices, updates=vectors)


def replace(cache: tf.Tensor, indices: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """Return the cache with vectors at indices that may hold others, in place like `put`."""
    return put(cache, indices, vectors - tf.gather_nd(cache, indices))


def _first_indices(num_rows, heads):
    """Return the indices of the vectors at position 0: int32[B, G, 1, 3] of (row, head, 0)."""
    rows, columns = tf.meshgrid(tf.range(num_rows), tf.range(heads), indexing="ij")
    return tf.stack([rows, columns, tf.zeros_like(rows)], -1)[:, :, None]
