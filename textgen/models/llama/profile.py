"""What the rest of textgen must know about the Llama family."""

from __future__ import annotations

from typing import ClassVar

from textgen.models.llama.config import LlamaConfig
from textgen.models.profile import Profile, shape_text

_SHAPES = (
    {"num_layers": 2, "num_heads": 2, "hidden_dim": 64, "context_length": 64},
    {"num_layers": 3, "num_heads": 3, "hidden_dim": 96, "context_length": 64},
    {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "context_length": 64},
    {"num_layers": 4, "num_heads": 4, "hidden_dim": 192, "context_length": 128},
    {"num_layers": 6, "num_heads": 4, "hidden_dim": 256, "context_length": 128},
    {"num_layers": 6, "num_heads": 6, "hidden_dim": 384, "context_length": 256},
    {"num_layers": 8, "num_heads": 8, "hidden_dim": 512, "context_length": 256},
    {"num_layers": 12, "num_heads": 12, "hidden_dim": 768, "context_length": 256},
)


class LlamaProfile(Profile[LlamaConfig]):
    """The shape of most published models."""

    name = "llama"
    config_class = LlamaConfig
    shapes = _SHAPES
    # A plan gives the shape of the small size half its context.
    sizes: ClassVar = {
        "tiny": _SHAPES[0],
        "small": {**_SHAPES[2], "context_length": 128},
        "base": _SHAPES[5],
    }
    optimizer = "muon"
    learning_rates: ClassVar = {"adamw": 1e-3, "muon": 2e-2}

    def model_class(self):
        """Return the Keras model's class; see `Profile`."""
        from textgen.models.llama.model import LlamaModel

        return LlamaModel

    def formats(self, name):
        """Return how models of the family are published; see `Profile`."""
        from textgen.models.llama.published import FORMATS

        return FORMATS[name]

    def describe(self, shape):
        """Return the shape with its heads; see `Profile`."""
        heads = shape.get("num_heads")  # a card may be damaged
        return shape_text(shape, *([f"{heads} heads"] if heads else []))

    def matrix_shapes(self, config):
        """Return the four matrices of attention and the three of the gated layer."""
        width, inner = config.hidden_dim, config.feedforward_dim
        queries = config.num_heads * config.head_width
        keys = config.key_value_heads * config.head_width
        block = [
            *[(width, queries), (width, keys), (width, keys), (queries, width)],
            *[(width, inner), (width, inner), (inner, width)],
        ]
        return block * config.num_layers

    def attention_operations(self, config):
        """Return the operations of scores and mixing; see `Profile`.

        Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, table 1.
        """
        queries = config.num_heads * config.head_width
        return 12 * config.num_layers * config.context_length * queries

    def activations(self, config):
        """Return the numbers per token that the backward pass needs; see `Profile`."""
        attended = config.num_heads * config.context_length
        block = 10 * config.hidden_dim + 4 * config.feedforward_dim + 3 * attended
        return config.num_layers * block

    def dropout_draws(self, config):
        """Return the random numbers per token for embedding and residuals."""
        return config.hidden_dim * (1 + 2 * config.num_layers)
