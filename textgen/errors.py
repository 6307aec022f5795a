"""Every error that textgen raises on purpose.

    TextgenError
    ├── ConfigError           a setting is out of range, or two settings contradict each other
    ├── CorpusError           a corpus cannot be found, read or decoded, or is too short
    ├── TokenizerError        a tokenizer file is damaged, or a text cannot be encoded
    ├── ModelNotFoundError    there is no such model
    ├── ModelDamagedError     a SavedModel exists but cannot be loaded
    │   └── ModelUnsafeError  a SavedModel could do more than generate text
    ├── PublishedModelError   a published model cannot be imported
    ├── ModelBusyError        another training run of the model is in progress
    ├── CheckpointError       a checkpoint is missing, damaged, or has other settings
    ├── TrainingDivergedError the loss or the weights are no longer finite
    ├── DeviceError           the requested devices or workers are not available
    └── GenerationError       the model could not answer a request

The message is one sentence for the person who can fix the mistake: the rule, then what was
received. The command line prints it unchanged and exits with 1, or with 2 for `ConfigError`
because then the command itself is wrong.

Example:
    >>> try:
    ...     textgen.SamplingConfig(top_p=1.7)
    ... except textgen.TextgenError as error:
    ...     print(error)
    top_p must be in (0, 1]. Received: 1.7
"""

from __future__ import annotations


class TextgenError(Exception):
    """Base class of all errors that textgen raises."""


class ConfigError(TextgenError, ValueError):
    """A setting is out of range, or two settings contradict each other."""


class CorpusError(TextgenError):
    """A corpus cannot be found, read or decoded, or is too short."""


class TokenizerError(TextgenError):
    """A tokenizer file is damaged, or a text cannot be encoded."""


class ModelNotFoundError(TextgenError):
    """There is no such model."""


class ModelDamagedError(TextgenError):
    """A SavedModel exists but cannot be loaded."""


class ModelUnsafeError(ModelDamagedError):
    """A SavedModel could do more than generate text, so it was not loaded."""


class PublishedModelError(TextgenError):
    """A published model is damaged or missing parts, or of a kind that is not supported."""


class ModelBusyError(TextgenError):
    """Another training run of the model is in progress."""


class CheckpointError(TextgenError):
    """A checkpoint is missing, damaged, or was made with other settings."""


class TrainingDivergedError(TextgenError):
    """The loss or the weights are no longer finite."""


class DeviceError(TextgenError):
    """The requested devices or workers are not available."""


class GenerationError(TextgenError):
    """The model could not answer a request."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error message, which says what failed."""
    return next(iter(str(error).splitlines()), "")
