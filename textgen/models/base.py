"""The contract of a language model.

A model has two halves. `LanguageModel` is the Keras model: it is trained, on whole
windows. `Decoder` is a TensorFlow module made from its weights: it writes, one token
at a time, and it is what an exported SavedModel holds. Two halves, because what is
good for the one is bad for the other: Keras layers on a GPU use cuDNN and XLA ops
that a stock TensorFlow Serving refuses, and decoding wants fused weights and a
key/value cache. A test holds that both give the same logits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig

State = tuple[tf.Tensor, ...]


class LanguageModel(keras.Model):
    """A causal language model for training.

    Args:
        config: the shape of the model.
        vocab_size: number of tokens, V.
        dtype: Keras dtype policy.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(dtype=dtype)
        self.config = config
        self.vocab_size = vocab_size

    def call(self, token_ids, training=False):
        """Predict every next token of a window at once (teacher forcing).

        Args:
            token_ids: int32[B, T], T at most the context length.
            training: whether dropout is active.

        Returns:
            logits float32[B, T, V]; row t predicts token t + 1.
        """
        raise NotImplementedError

    def initialize(self, seed: int) -> None:
        """Set the initial weights; a pure function of `seed` and the model's shape."""
        for index, variable in enumerate(self.trainable_variables):
            generator = np.random.default_rng([seed, index])
            variable.assign(self.initial_value(variable.path, tuple(variable.shape), generator))

    def initial_value(
        self, path: str, shape: tuple[int, ...], generator: np.random.Generator
    ) -> np.ndarray:
        """Return the initial value of the variable at `path`.

        Args:
            path: the Keras path, such as `"transformer/block_0/.../kernel"`.
            shape: of the variable.
            generator: the only source of randomness to be used.
        """
        raise NotImplementedError

    def decoder_weights(self) -> dict[str, np.ndarray]:
        """Return the weights in the layout `Decoder` computes with, float32, by name."""
        raise NotImplementedError

    def decoder(self) -> Decoder:
        """Return a decoder with a copy of the present weights."""
        raise NotImplementedError


class Decoder(tf.Module, ABC):
    """A causal language model for writing: prefill once, then step.

    Args:
        config: the shape of the model.
        vocab_size: number of tokens, V.
        weights: from `LanguageModel.decoder_weights`; arrays or tensors.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, weights: Mapping[str, Any]) -> None:
        super().__init__(name="decoder")
        self.config = config
        self.vocab_size = vocab_size
        self.weights: dict[str, tf.Variable | tf.Tensor] = {
            name: tf.Variable(value, trainable=False, name=name, dtype=tf.float32)
            for name, value in weights.items()
        }

    def assign(self, weights: Mapping[str, np.ndarray]) -> None:
        """Replace the weights by newer ones of the same model."""
        for name, value in weights.items():
            self.weights[name].assign(value)

    def snapshot(self) -> Decoder:
        """Return a decoder whose weights are tensors, read now.

        A loop over its steps then reads no variable: fifty operations a token less.
        """
        copy = type(self)(self.config, self.vocab_size, {})
        copy.weights = {name: tf.convert_to_tensor(value) for name, value in self.weights.items()}
        return copy

    def for_rows(self, num_rows: int | tf.Tensor) -> Decoder:
        """Return a decoder whose steps take so many rows, what they share computed once."""
        return self

    def with_weights(self, weights: Mapping[str, Any]) -> Decoder:
        """Return the same model with other weights, in variables of the default graph."""
        return type(self)(self.config, self.vocab_size, weights)

    @property
    @abstractmethod
    def max_positions(self) -> int | None:
        """Tokens the state can hold at most, or `None` where it has no limit."""

    @abstractmethod
    def prefill(self, token_ids: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Read the beginnings of texts.

        Args:
            token_ids: int32[B, P], padded on the right; P from 1 to `max_positions`.
            lengths: int32[B], how many tokens of each row to read; may be 0.

        Returns:
            hidden float32[B, P, D], one vector after each token that was read (any value
            after the others), and the state, a flat tuple of tensors with the batch first.
        """

    def capacity(self, state: State) -> tf.Tensor | None:
        """Return how many positions the state can hold, int32[], or `None` if unlimited.

        `reserve` raises the capacity.
        """
        return None

    def reserve(self, state: State, position: tf.Tensor, num_positions: tf.Tensor) -> State:
        """Return a state with a capacity of at least `num_positions`, ready for `step`.

        Args:
            state: The state of any batch. Values past a row's position are arbitrary: a server
                that merges requests pads their states.
            position: int32[B], tokens that each row of the state holds.
            num_positions: int32[], the wanted capacity; at least the largest `position`.
        """
        return state

    def select_rows(self, is_new: tf.Tensor, new: State, old: State) -> State:
        """Return the rows of `new` where `is_new`, bool[B], and those of `old` elsewhere.

        Args:
            is_new: bool[B].
            new: A state.
            old: Another state of the same capacity.
        """

        def select(n, o):
            return tf.where(tf.reshape(is_new, [-1] + [1] * (n.shape.rank - 1)), n, o)

        return tuple(map(select, new, old))

    def take_rows(self, state: State, rows: tf.Tensor) -> State:
        """Return the state whose row i is row `rows[i]` of `state`; `rows` is int32[N]."""
        return tuple(tf.gather(tensor, rows) for tensor in state)

    def repeat_rows(self, state: State, times: tf.Tensor) -> State:
        """Return a state with `times` copies of every row, side by side.

        Args:
            state: The state of B rows.
            times: int32[].
        """
        return tuple(tf.repeat(tensor, times, axis=0) for tensor in state)

    @abstractmethod
    def step(
        self, token_ids: tf.Tensor, state: State, position: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Read one more token a row.

        Args:
            token_ids: int32[B].
            state: from `prefill` or the step before, with room for the token.
            position: int32[B], how many tokens the row's state has already read.

        Returns:
            hidden float32[B, D] after that token, and the new state.
        """

    @abstractmethod
    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Predict the next token: float32[N, V] from float32[N, D]."""
