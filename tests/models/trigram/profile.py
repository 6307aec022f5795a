"""What the rest of textgen must know about the trigram model."""

from __future__ import annotations

from typing import ClassVar

from textgen.models.profile import Profile
from trigram.config import TrigramConfig

_SHAPES = ({"num_layers": 1, "hidden_dim": 16, "context_length": 8},)


class TrigramProfile(Profile):
    """A neural trigram model (Bengio et al. 2003, with a window of two tokens)."""

    name = "trigram"
    config_class = TrigramConfig
    shapes = _SHAPES
    sizes: ClassVar = {"small": _SHAPES[0]}
    optimizer = "adamw"
    learning_rates: ClassVar = {"adamw": 1e-2, "muon": 1e-2}
    tokenizer = "character"

    def model_class(self):
        from trigram.model import TrigramModel

        return TrigramModel

    def matrix_shapes(self, config):
        return [(2 * config.hidden_dim, config.hidden_dim)]

    def activations(self, config):
        return 4 * config.hidden_dim

    def dropout_draws(self, config):
        return 0
