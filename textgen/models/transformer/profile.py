"""What the rest of textgen must know about the Transformer."""

from __future__ import annotations

from textgen.models.attention_profile import AttentionProfile
from textgen.models.transformer.config import TransformerConfig


class TransformerProfile(AttentionProfile[TransformerConfig]):
    """The better model wherever there is time to train it."""

    name = "transformer"
    config_class = TransformerConfig

    def model_class(self):
        """Return the Keras model's class; see `Profile`."""
        from textgen.models.transformer.model import TransformerModel

        return TransformerModel

    def formats(self, name):
        """Return how GPT-2 is published; see `Profile`."""
        from textgen.models.transformer.published import FORMATS

        return FORMATS[name]

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
