"""The families of language models and their common contract.

Importing this package, a config or a profile loads no TensorFlow; `build_model` does. A new
family is a folder next to `lstm` and a line here; see `textgen.models.profile`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textgen.models.config import ModelConfig
from textgen.models.llama.profile import LlamaProfile
from textgen.models.lstm.profile import LSTMProfile
from textgen.models.registry import register
from textgen.models.transformer.profile import TransformerProfile

if TYPE_CHECKING:
    from textgen.models.base import LanguageModel

# The first family is the default.
for profile in (TransformerProfile(), LlamaProfile(), LSTMProfile()):
    register(profile)


def build_model(
    config: ModelConfig, vocab_size: int, seed: int | None = 0, dtype: str = "float32"
) -> LanguageModel:
    """Build and initialize the model that `config` describes.

    Args:
        config: The shape of the model.
        vocab_size: Number of tokens.
        seed: Seed of the initial weights; the same seed gives the same weights on any machine.
            If `None`, they are arbitrary, and the caller must replace them.
        dtype: Keras dtype policy, such as `"mixed_bfloat16"`.

    Returns:
        A `LanguageModel` whose variables exist.

    Example:
        >>> build_model(ModelConfig("lstm", num_layers=1), vocab_size=70).count_params()
        174534
    """
    model = config.profile.model_class()(config, vocab_size, dtype=dtype)
    model.build((None, config.context_length))
    if seed is not None:
        model.initialize(seed)
    return model


__all__ = ["ModelConfig", "build_model"]
