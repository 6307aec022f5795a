"""What the rest of textgen must know about a family of models, without loading TensorFlow.

A family is a folder: `config.py` (its settings), `model.py` (the Keras model that trains),
`decoder.py` (the TensorFlow module that generates) and `profile.py`, an implementation of
`Profile`. If models of it are published, `published.py` says how to read them. Nothing outside
`textgen.models` names a family.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

from textgen.models.published import Format, FormatName

Config = TypeVar("Config")


def shape_text(shape: Mapping[str, Any], *more: str) -> str:
    """Return in a few words what the shapes of all families have, and `more`.

    Example:
        >>> shape_text({"num_layers": 2, "hidden_dim": 96, "context_length": 64}, "2 heads")
        '2 layers of 96, 2 heads, context 64'
    """
    layers = "layer" if shape["num_layers"] == 1 else "layers"
    width = f"{shape['num_layers']} {layers} of {shape['hidden_dim']}"
    return ", ".join([width, *more, f"context {shape['context_length']}"])


class Profile(ABC, Generic[Config]):
    """A family of models: its settings, sizes, costs and defaults.

    Attributes:
        name: The `architecture` in configs, model cards and on the command line.
        config_class: The settings of a model.
        shapes: The shapes that a plan chooses from, from small to large.
        sizes: The shapes that users can name. Every family has a `"small"` one.
        optimizer: The better optimizer, `"adamw"` or `"muon"`.
        learning_rates: The peak learning rate of each optimizer; see `learning_rate`.
        tokenizer: The tokenizer that suits the family; `"auto"` leaves the choice to the corpus.
        is_bfloat16_faster: Whether training gains from bfloat16 on a device that is made for it.
        is_xla_faster_on_gpu: Whether training gains from XLA on a GPU. On a CPU it always does.
        has_unlimited_context: Whether a model remembers, in its state, also what came before its
            context.
        overfitting_exponent: How much more dropout a small corpus needs: as many times more as
            this power of `CorpusSize.rereading`.
        has_adapters: Whether the layers can have low-rank adapters.
    """

    name: ClassVar[str]
    config_class: type[Config]
    shapes: ClassVar[tuple[dict[str, int], ...]]
    sizes: ClassVar[dict[str, dict[str, int]]]
    optimizer: ClassVar[str]
    learning_rates: ClassVar[dict[str, float]]
    tokenizer: ClassVar[Literal["auto", "character", "bpe"]] = "auto"
    is_bfloat16_faster: ClassVar[bool] = True
    is_xla_faster_on_gpu: ClassVar[bool] = True
    has_unlimited_context: ClassVar[bool] = False
    overfitting_exponent: ClassVar[float] = 0.0
    has_adapters: ClassVar[bool] = True

    @abstractmethod
    def model_class(self) -> type[Any]:
        """Return the Keras model, a `LanguageModel` class. This alone loads TensorFlow."""

    def formats(self, name: FormatName) -> tuple[Format, ...]:
        """Return how models of the family are published in a format, if at all."""
        return ()

    def attention(
        self, config: Config, vocab_size: int, weights: Mapping[str, Any], token_ids: Any
    ) -> Any:
        """Return where the heads of a model look, or `None` if it has none. Loads TensorFlow.

        Args:
            config: The shape of the model.
            vocab_size: Number of tokens.
            weights: The decoder's weights, float32 arrays by name.
            token_ids: int32[T], T up to 256 and to the context length.

        Returns:
            float32[layers, heads, T, T], for the token at each position how much of its attention
            goes to each position up to its own; rows sum to 1.
        """
        return None

    def learning_rate(self, optimizer: str, config: Config) -> float:
        """Return the peak learning rate that suits a model.

        Args:
            optimizer: `"adamw"` or `"muon"`.
            config: The shape of the model.
        """
        return self.learning_rates[optimizer]

    def describe(self, shape: Mapping[str, Any]) -> str:
        """Return the shape in a few words.

        Args:
            shape: The settings of a model, as its card holds them.
        """
        return shape_text(shape)

    @abstractmethod
    def matrix_shapes(self, config: Config) -> list[tuple[int, int]]:
        """Return the (rows, columns) of every matrix in the layers.

        The embedding and the output layer are not among them.
        """

    def attention_operations(self, config: Config) -> int:
        """Return the operations per token of matrix products without weights.

        Forward and backward pass together.
        """
        return 0

    @abstractmethod
    def activations(self, config: Config) -> int:
        """Return how many numbers per token the layers keep for the backward pass."""

    @abstractmethod
    def dropout_draws(self, config: Config) -> int:
        """Return how many random numbers per token dropout draws when it is not 0."""

    def sequential_iterations(self, config: Config) -> int:
        """Return how many loop iterations of a step wait for the one before, on a CPU."""
        return 0
