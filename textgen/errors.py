"""Every error textgen raises on purpose.

    TextgenError
    ├── ConfigError           a setting is outside its range, or two settings contradict each other
    ├── CorpusError           a corpus cannot be found, read or decoded, or is too short
    ├── TokenizerError        a saved tokenizer is damaged, or a text cannot be encoded
    ├── ModelNotFoundError    no model of that name
    ├── ModelDamagedError     a SavedModel is there but cannot be loaded
    ├── ModelBusyError        another run of the model is going on
    ├── CheckpointError       a checkpoint is missing, damaged, or of other settings
    ├── TrainingDivergedError loss or weights stopped being finite
    ├── DeviceError           the asked-for devices or workers are not there
    └── GenerationError       the model could not answer a request

The message is one sentence for the person who made the mistake: the rule, then
what was received. The command line prints it as it stands and exits with 1
(2 for `ConfigError`: the command was wrong, not the world).
"""

from __future__ import annotations


class TextgenError(Exception):
    """Base class of all errors raised by textgen."""


class ConfigError(TextgenError, ValueError):
    """A setting is outside its range, or two settings contradict each other."""


class CorpusError(TextgenError):
    """A corpus cannot be found, read or decoded, or is too short."""


class TokenizerError(TextgenError):
    """A saved tokenizer is damaged, or a text cannot be encoded."""


class ModelNotFoundError(TextgenError):
    """There is no model of that name."""


class ModelDamagedError(TextgenError):
    """A SavedModel is there but cannot be loaded."""


class ModelBusyError(TextgenError):
    """Another run of the model is going on."""


class CheckpointError(TextgenError):
    """A checkpoint is missing, damaged, or was made with other settings."""


class TrainingDivergedError(TextgenError):
    """The loss or the weights stopped being finite."""


class DeviceError(TextgenError):
    """The devices or workers asked for are not there."""


class GenerationError(TextgenError):
    """The model could not answer a request."""


def first_line(error: BaseException) -> str:
    """Return what an error of a library says, without the lines of its own doings behind it."""
    return next(iter(str(error).splitlines()), "")
