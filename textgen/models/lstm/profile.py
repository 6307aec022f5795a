"""What the rest of textgen must know about the LSTM."""

from __future__ import annotations

from typing import ClassVar

from textgen.models.lstm.config import LSTMConfig
from textgen.models.profile import Profile

# AdamW's learning rate is good up to this width; at twice the width training diverges with it,
# and a quarter of it does best.
_MAX_WIDTH_OF_RATE = 384

_SHAPES = (
    {"num_layers": 2, "hidden_dim": 96, "context_length": 64},
    {"num_layers": 2, "hidden_dim": 192, "context_length": 64},
    {"num_layers": 2, "hidden_dim": 256, "context_length": 128},
    {"num_layers": 2, "hidden_dim": 384, "context_length": 128},
    {"num_layers": 2, "hidden_dim": 768, "context_length": 256},
)


class LSTMProfile(Profile[LSTMConfig]):
    """The baseline, which works on characters."""

    name = "lstm"
    config_class = LSTMConfig
    shapes = _SHAPES
    sizes: ClassVar = {"tiny": _SHAPES[0], "small": _SHAPES[2], "base": _SHAPES[4]}
    optimizer = "adamw"
    # The best of a few, see docs/explanation/laboratory.md. Muon's rate is for its
    # orthogonalized matrices.
    learning_rates: ClassVar = {"adamw": 8e-3, "muon": 2e-2}
    tokenizer = "character"
    # cuDNN's LSTM is not an XLA op. It is faster than what XLA makes of a loop, and it computes
    # in the precision of the weights. On a CPU, only XLA runs loops fast, in float32.
    is_bfloat16_faster = False
    is_xla_faster_on_gpu = False
    has_unlimited_context = True
    # An LSTM overfits a small corpus sooner than a Transformer.
    has_adapters = False
    overfitting_exponent = 2.0

    def model_class(self):
        """Return the Keras model's class; see `Profile`."""
        from textgen.models.lstm.model import LSTMModel

        return LSTMModel

    def learning_rate(self, optimizer, config):
        """Return the peak learning rate; a wide LSTM needs a lower one with AdamW."""
        rate = super().learning_rate(optimizer, config)
        if optimizer == "adamw":
            rate *= min(1.0, _MAX_WIDTH_OF_RATE / config.hidden_dim) ** 2
        return rate

    def matrix_shapes(self, config):
        """Return an input and a recurrent kernel per layer, each for four gates."""
        return [(config.hidden_dim, 4 * config.hidden_dim)] * (2 * config.num_layers)

    def activations(self, config):
        """Return the numbers per token that the backward pass needs; see `Profile`."""
        return config.num_layers * 12 * config.hidden_dim

    def dropout_draws(self, config):
        """Return the random numbers per token: one per output of a layer."""
        return config.num_layers * config.hidden_dim

    def sequential_iterations(self, config):
        """Return the iterations of the loops over time; see `Profile`."""
        return config.num_layers * config.context_length
