"""What all families of attention blocks have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textgen.models.profile import Config, Profile, shape_text

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


class AttentionProfile(Profile[Config]):
    """Sizes, optimizer and rates of a family of attention blocks; see `Profile`."""

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

    def describe(self, shape: Mapping[str, Any]) -> str:
        """Return the shape with its heads; see `Profile`."""
        heads = shape.get("num_heads")  # a card may be damaged
        return shape_text(shape, *([f"{heads} heads"] if heads else []))

    def attention(self, config, vocab_size, weights, token_ids):
        """Return where the heads of a model look; see `Profile`."""
        decoder = self.model_class().decoder_class(config, vocab_size, weights)
        return decoder.attention(token_ids)
