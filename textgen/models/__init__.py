"""The two language models, one contract (`textgen.models.base`)."""

from __future__ import annotations

from textgen.config import ModelConfig
from textgen.models.base import Decoder, LanguageModel, State


def build_model(
    config: ModelConfig, vocab_size: int, seed: int = 0, dtype: str = "float32"
) -> LanguageModel:
    """Build and initialize the model that `config` describes.

    Args:
        config: the shape of the model.
        vocab_size: number of tokens.
        seed: of the initial weights; the same seed gives the same weights everywhere.
        dtype: Keras dtype policy, such as `"mixed_bfloat16"`.

    Returns:
        A `LanguageModel` with its variables made.
    """
    # Imported here so that using one model does not load what only the other needs.
    if config.architecture == "lstm":
        from textgen.models.lstm import LSTMModel as Model
    else:
        from textgen.models.transformer import TransformerModel as Model
    model = Model(config, vocab_size, dtype=dtype)
    model.build((None, config.context_length))
    model.initialize(seed)
    return model


__all__ = ["Decoder", "LanguageModel", "State", "build_model"]
