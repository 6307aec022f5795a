"""The contract of a language model.

A model has two halves. `LanguageModel` is the Keras model, which trains on whole windows.
`Decoder` is a TensorFlow module made from its weights. It generates one token at a time, and an
exported SavedModel holds it. There are two because training and generation want different
things: on a GPU, Keras layers use cuDNN and XLA ops that a stock TensorFlow Serving refuses, and
generation wants fused weights and a key/value cache. A test proves that both return the same
logits.

Letters in shapes: B batch, T time, P prefilled tokens, D hidden_dim, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from textgen.models.adapters import Adapters, MergedWeights, layer_of
from textgen.models.config import ModelConfig

State = tuple[tf.Tensor, ...]


class Decoder(tf.Module, ABC):
    """A causal language model for generation: prefill once, then step.

    Its state is a flat tuple of tensors with the batch first. A server may merge the states of
    several requests, but only the decoder knows what else the dimensions mean. If a state can
    forget tokens, the decoder has `extend`, and says so by `extends`.

    Args:
        config: The shape of the model.
        vocab_size: Number of tokens, V.
        weights: The result of `LanguageModel.decoder_weights`: arrays, tensors or variables.
    """

    extends: ClassVar[bool] = False

    def __init__(self, config: ModelConfig, vocab_size: int, weights: Mapping[str, Any]) -> None:
        super().__init__(name="decoder")
        self.config = config
        self.vocab_size = vocab_size
        self.weights: dict[str, Any] = dict(weights)

    def snapshot(self) -> Decoder:
        """Return a decoder whose weights are tensors, read now.

        A loop over its steps reads no variables, which saves fifty operations per token.
        """
        tensors = {name: tf.convert_to_tensor(value) for name, value in self.weights.items()}
        return type(self)(self.config, self.vocab_size, tensors)

    def for_rows(self, num_rows: int | tf.Tensor, num_threads: int | tf.Tensor = 1) -> Decoder:
        """Return a decoder of batches of `num_rows` on so many threads: its steps share work."""
        return self

    def with_weights(self, weights: Mapping[str, Any]) -> Decoder:
        """Return the same model with other weights, in variables of the default graph."""
        variables = {
            name: tf.Variable(value, trainable=False, name=name, dtype=tf.float32)
            for name, value in weights.items()
        }
        return type(self)(self.config, self.vocab_size, variables)

    def in_variables(self) -> Decoder:
        """Return the same model with its weights in variables."""
        return self.with_weights(self.weights)

    def dense(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Return `x` times the kernel `name`, plus its bias: [N, out] from [N, in]."""
        return tf.nn.bias_add(self.multiply(x, name), self.weights[f"{name}/bias"])

    def multiply(self, x: tf.Tensor, name: str) -> tf.Tensor:
        """Return `x` times the kernel `name`: [N, out] from [N, in]."""
        return tf.matmul(x, self.kernel(name))

    def kernel(self, name: str) -> tf.Tensor:
        """Return the kernel `name`, float32[in, out]."""
        return self.weights[f"{name}/kernel"]

    @property
    @abstractmethod
    def max_positions(self) -> int | None:
        """The largest number of tokens that the state can hold, or `None` if unlimited."""

    @abstractmethod
    def prefill(
        self, token_ids: tf.Tensor, lengths: tf.Tensor, state: State | None = None
    ) -> tuple[tf.Tensor, State]:
        """Process the beginnings of texts.

        A decoder whose state is unlimited can process them in parts, each with the state after
        the previous one.

        Args:
            token_ids: int32[B, P], padded on the right; P from 1 to `max_positions`.
            lengths: int32[B], tokens of each row to process; may be 0.
            state: The state that the tokens continue; only if `max_positions` is `None`.

        Returns:
            The hidden vectors float32[B, P, D], one per processed token and arbitrary after
            them, and the state.
        """

    def capacity(self, state: State) -> tf.Tensor | None:
        """Return how many positions the state can hold, int32[], or `None` if unlimited."""
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
        """Return the rows of `new` where `is_new`, bool[B], and of `old`, as large, elsewhere."""

        def select(n, o):
            return tf.where(tf.reshape(is_new, [-1] + [1] * (n.shape.rank - 1)), n, o)

        return tuple(map(select, new, old))

    def take_rows(self, state: State, rows: tf.Tensor) -> State:
        """Return the state whose row i is row `rows[i]` of `state`; `rows` is int32[N]."""
        return tuple(tf.gather(tensor, rows) for tensor in state)

    def repeat_rows(self, state: State, times: tf.Tensor) -> State:
        """Return a state with `times`, int32[], copies of every row, side by side."""
        if not state:
            return state
        num_rows = tf.shape(state[0])[0]
        return self.take_rows(state, tf.range(num_rows * times) // times)

    def look_up(
        self, state: State, position: tf.Tensor, num_steps: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Return for how many next steps, 1 to `num_steps`, and what they look up: [step, ...]."""
        return num_steps, ()

    @abstractmethod
    def step(
        self, token_ids: tf.Tensor, state: State, position: tf.Tensor, looked_up: tuple = ()
    ) -> tuple[tf.Tensor, State]:
        """Process one more token per row; return float32[B, D] and the new state.

        Args:
            token_ids: int32[B].
            state: The state from `prefill` or the previous step, with capacity for the token.
            position: int32[B], tokens that each row of the state already holds.
            looked_up: What `look_up` has for this step, instead of looking it up now.
        """

    def extend(
        self, token_ids: tf.Tensor, state: State, position: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Process int32[B, N] tokens as N steps would; return float32[B, N, D] and the state.

        N is static. If fewer are kept, `reserve` has to clear the others before a `step`.
        """
        raise NotImplementedError

    @abstractmethod
    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Predict the next token: float32[N, V] from float32[N, D]."""


class LanguageModel(keras.Model):
    """A causal language model for training.

    Attributes:
        decoder_class: The `Decoder` of the family.
        fusion: The family's module with the functions `fuse` and `unfuse`, of weights and config.

    Args:
        config: The shape of the model.
        vocab_size: Number of tokens, V.
        dtype: Keras dtype policy.
    """

    decoder_class: ClassVar[type[Decoder]]
    fusion: ModuleType

    def __init__(self, config: ModelConfig, vocab_size: int, dtype: str = "float32") -> None:
        super().__init__(dtype=dtype)
        self.config = config
        self.vocab_size = vocab_size
        self.adapters: Adapters | None = None

    def call(self, token_ids, training=False):
        """Predict every next token of a window at once (teacher forcing).

        Args:
            token_ids: int32[B, T], T at most the context length.
            training: Whether dropout is active.

        Returns:
            Logits float32[B, T, V]; position t predicts token t + 1.
        """
        raise NotImplementedError

    def initialize(self, seed: int) -> None:
        """Set the initial weights, a pure function of `seed` and the model's shape."""
        for index, variable in enumerate(self.trainable_variables):
            generator = np.random.default_rng([seed, index])
            variable.assign(self.initial_value(variable.path, tuple(variable.shape), generator))

    def initial_value(
        self, path: str, shape: tuple[int, ...], generator: np.random.Generator
    ) -> np.ndarray:
        """Return the initial value of the variable at `path`.

        Args:
            path: The Keras path, such as `"transformer/block_0/.../kernel"`.
            shape: The shape of the variable.
            generator: The only source of randomness to use.
        """
        raise NotImplementedError

    def named_variables(self) -> dict[str, keras.Variable]:
        """Return all weights by the names that `fuse` and `unfuse` know.

        The names in layer i begin with a word and `_i/`, such as `block_0/`. Only the names of
        embeddings contain "embedding".
        """
        raise NotImplementedError

    def freeze(self, num_layers: int) -> None:
        """Keep the embeddings and the first layers as they are: they are no longer trainable."""
        for name, variable in self.named_variables().items():
            layer = layer_of(name)
            if layer < num_layers if layer is not None else "embedding" in name:
                variable.trainable = False

    def add_adapters(self, rank: int, seed: int, first_layer: int = 0) -> None:
        """Make low-rank adapters of the layers' kernels trainable, and nothing else.

        Args:
            rank: The rank of the adapters.
            seed: Seed of their first values.
            first_layer: The first layer that gets any.

        Raises:
            ConfigError: If no kernel can be adapted.
        """
        self.adapters = Adapters(self, self.named_variables(), rank, seed, first_layer)

    def fuse(self, weights: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the decoder's weights, float32, from those by `named_variables`' names."""
        return self.fusion.fuse(weights, self.config)

    def unfuse(self, weights: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield weights by `named_variables`' names that `fuse` turns into `weights`."""
        return self.fusion.unfuse(weights, self.config)

    def fused_weights(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the decoder's weights, computed in parts: memory may not hold a copy of all."""
        return self.fuse(MergedWeights(self.named_variables(), self.adapters))

    def decoder_weights(self) -> dict[str, np.ndarray]:
        """Return the weights that the decoder computes with: float32 arrays by name."""
        return dict(self.fused_weights())

    def load_decoder_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Make the model equivalent to a decoder, such as that of an exported model.

        The logits become those of the decoder, which other weights may have too.

        Args:
            weights: The result of `decoder_weights` of a model of the same shape.

        Raises:
            ValueError: If the names or shapes are those of another model.
        """
        expected = {name: np.shape(value) for name, value in self.fused_weights()}
        received = {name: np.shape(value) for name, value in weights.items()}
        for name in expected | received:
            if expected.get(name) != received.get(name):
                raise ValueError(
                    "weights must be those of a decoder of this shape. Received: "
                    f"{name} of shape {received.get(name)} instead of {expected.get(name)}"
                )
        variables = self.named_variables()
        for name, value in self.unfuse(weights):
            variables[name].assign(np.reshape(value, variables[name].shape))

    def decoder(self) -> Decoder:
        """Return a decoder whose weights are copies of the current ones, as arrays."""
        return self.decoder_class(self.config, self.vocab_size, self.decoder_weights())
