"""What the rest of textgen must know about the Transformer."""

from __future__ import annotations

from typing import ClassVar

from textgen.models.profile import Profile, shape_text
from textgen.models.transformer.config import TransformerConfig

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


class TransformerProfile(Profile[TransformerConfig]):
    """The better model wherever there is time to train it."""

    name = "transformer"
    config_class = TransformerConfig
    shapes = _SHAPES
    # A plan gives the shape of the small size half its context.
    sizes: ClassVar = {
        "tiny": _SHAPES[0],
        "small": {**_SHAPES[2], "context_length": 128},
        "base": _SHAPES[5],
    }
    optimizer = "muon"
    # The best of a few, see docs/explanation/laboratory.md. Muon's rate is for its
    # orthogonalized matrices.
    learning_rates: ClassVar = {"adamw": 1e-3, "muon": 2e-2}

    def model_class(self):
        """Return the Keras model's class; see `Profile`."""
        from textgen.models.transformer.model import TransformerModel

        return TransformerModel

    def formats(self, name):
        """Return how GPT-2 is published; see `Profile`."""
        from textgen.models.transformer.published import FORMATS

        return FORMATS[name]

    def describe(self, shape):
        """Return the shape with its heads; see `Profile`."""
        heads = shape.get("num_heads")  # a card may be damaged
        return shape_text(shape, *([f"{heads} heads"] if heads else []))

    def matrix_shapes(self, config):
        """Return the four matrices of attention and the two of the feed-forward layer."""
        width, inner = config.hidden_dim, config.feedforward_dim
        block = [(width, width)] * 4 + [(width, inner), (inner, width)]
        return block * config.num_layers

    def attention_operations(self, config):
        """Return the operations of scores and mixing; see `Profile`.

        Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, table 1.
        """
        return 12 * config.num_layers * config.context_length * config.hidden_dim

    def activations(self, config):
        """Return the numbers per token that the backward pass needs; see `Profile`."""
        attended = config.num_heads * config.context_length
        block = 10 * config.hidden_dim + 3 * config.feedforward_dim + 3 * attended
        return config.num_layers * block

    def dropout_draws(self, config):
        """Return the random numbers per token for embedding, residuals and attention."""
        attended = config.num_heads * config.context_length
        return config.hidden_dim + config.num_layers * (2 * config.hidden_dim + attended)
