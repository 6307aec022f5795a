"""What the rest of textgen must know about the Llama family."""

from __future__ import annotations

from textgen.models.attention_profile import AttentionProfile
from textgen.models.llama.config import LlamaConfig


class LlamaProfile(AttentionProfile[LlamaConfig]):
    """The shape of most published models."""

    name = "llama"
    config_class = LlamaConfig

    def model_class(self):
        """Return the Keras model's class; see `Profile`."""
        from textgen.models.llama.model import LlamaModel

        return LlamaModel

    def formats(self, name):
        """Return how models of the family are published; see `Profile`."""
        from textgen.models.llama.published import FORMATS

        return FORMATS[name]

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
