"""Settings as frozen dataclasses that check themselves.

Each class is a plain record of keyword arguments with the field's standard names
(Keras terms for the architecture, Hugging Face terms for decoding). A value outside
its range raises `ConfigError` with the rule and what was received, wherever the
value came from: the command line, Python, or a JSON file.
"""

from textgen.config.corpus import DOCUMENT_SPLITS, PERSONAL_DATA, CorpusConfig, Normalization
from textgen.config.run import RunConfig, check_vocab_size, given_settings
from textgen.config.sampling import SamplingConfig
from textgen.config.search import BeamSearchConfig, ContrastiveSearchConfig
from textgen.config.training import TrainingConfig
from textgen.models.config import ModelConfig

__all__ = [
    "DOCUMENT_SPLITS",
    "PERSONAL_DATA",
    "BeamSearchConfig",
    "ContrastiveSearchConfig",
    "CorpusConfig",
    "ModelConfig",
    "Normalization",
    "RunConfig",
    "SamplingConfig",
    "TrainingConfig",
    "check_vocab_size",
    "given_settings",
]
