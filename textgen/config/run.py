"""The settings of a training run as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from textgen.checks import check, check_choice, check_int_in, check_positive_int, is_text
from textgen.config.corpus import CorpusConfig
from textgen.config.training import TrainingConfig
from textgen.errors import ConfigError
from textgen.models.config import ModelConfig
from textgen.models.registry import architectures_with, default_architecture, profile_of
from textgen.record import Record

# At least the 3 special tokens and the 256 bytes. The upper bound is more than any model has:
# `tokenizers` reserves 70 bytes per token before it learns the first, and aborts if it cannot.
_MIN_VOCAB_SIZE, _MAX_VOCAB_SIZE = 259, 2**20


def check_vocab_size(vocab_size: int) -> None:
    """Check the number of BPE tokens.

    Raises:
        ConfigError: If it is out of range.
    """
    check_int_in("vocab_size", vocab_size, _MIN_VOCAB_SIZE, _MAX_VOCAB_SIZE)


@dataclasses.dataclass(frozen=True)
class RunConfig(Record):
    """Everything a training run is asked to do.

    Attributes:
        corpus: How text files become documents.
        model: The shape of the model.
        training: How the model is trained.
        tokenizer: `"character"`, `"bpe"`, or `"auto"`: the one that suits the model's family
            and the corpus.
        vocab_size: Maximum number of BPE tokens, 259 to 1,048,576. If `None`, it depends on the
            size of the corpus.
        min_count: Characters that occur less often become the unknown token. BPE has none.
        from_model: Name or folder of the model to begin from: its weights, shape and tokenizer.
            If `None`, the run begins from nothing.

    Example:
        >>> textgen.RunConfig.from_settings({"hidden_dim": 256, "max_steps": 500}).model.num_heads
        4
    """

    corpus: CorpusConfig = dataclasses.field(default_factory=CorpusConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    tokenizer: Literal["auto", "character", "bpe"] = "auto"
    vocab_size: int | None = None
    min_count: int = 1
    from_model: str | None = None

    def __post_init__(self) -> None:
        check_positive_int(self, "min_count")
        check_choice(self, "tokenizer")
        fits = self.from_model is None or is_text(self.from_model)
        check(fits, "from_model must be the name or the folder of a model", self.from_model)
        if self.from_model is None and self.training.is_partial:
            raise ConfigError(
                "freeze_layers and adapter_rank need from_model: random weights are not worth "
                f"keeping. Received: {self.training.freeze_layers} and "
                f"{self.training.adapter_rank}"
            )
        if self.vocab_size is not None:
            check_vocab_size(self.vocab_size)
            fits = self.tokenizer == "bpe"
            check(fits, "vocab_size needs the tokenizer bpe", self.tokenizer)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Build the config from the result of `to_dict`.

        Raises:
            ConfigError: If a name is unknown or a value is out of range.
        """
        built = {name: part.from_dict(values.get(name, {})) for name, part in _PARTS.items()}
        return super().from_dict({**values, **built})

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RunConfig:
        """Build the config from settings by their own names, which no two parts share.

        Args:
            settings: Values by name, such as `{"hidden_dim": 256}`. The others get their
                defaults, or values that suit those given.

        Raises:
            ConfigError: If a name is unknown or a value is out of range.
        """
        names = {part: _names(config) for part, config in _PARTS.items()}
        names["run"] = _names(cls) - _PARTS.keys()
        values: dict[str, dict[str, Any]] = {part: {} for part in names}
        for name, value in settings.items():
            # Any other name may be a setting of the model's family alone.
            part = next((part for part, known in names.items() if name in known), "model")
            values[part][name] = value
        return cls(
            corpus=CorpusConfig(**values["corpus"]),
            model=_model_config(values["model"]),
            training=TrainingConfig(**values["training"]),
            **values["run"],
        )

    def to_settings(self) -> dict[str, Any]:
        """Return all settings by their own names, without the parts they belong to."""
        values = self.to_dict()
        parts = [values.pop(name) for name in _PARTS]
        settings = {key: value for part in (*parts, values) for key, value in part.items()}
        ignored = self.model.to_dict().keys() - self.model.setting_names()
        return {name: value for name, value in settings.items() if name not in ignored}


_PARTS: dict[str, Any] = {"corpus": CorpusConfig, "model": ModelConfig, "training": TrainingConfig}


def given_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a user gave, with `size` replaced by those it stands for.

    Settings given next to a size take precedence over those of the size.

    Raises:
        ConfigError: If the model's family has no such size.

    Example:
        >>> given_settings({"size": "tiny", "num_layers": 3})["num_layers"]
        3
    """
    given = {name: value for name, value in settings.items() if name != "size"}
    if "max_steps" in given and "epochs" in given:
        raise ConfigError("max_steps cannot be combined with epochs.")
    if "size" not in settings:
        return given
    sizes = profile_of(_architecture(given)).sizes
    check(settings["size"] in sizes, f"size must be one of {', '.join(sizes)}", settings["size"])
    return {**sizes[settings["size"]], **given}


def _model_config(given: Mapping[str, Any]) -> ModelConfig:
    if unknown := [name for name in given if not architectures_with(name)]:
        raise ConfigError(f"Unknown settings of a run: {', '.join(sorted(unknown))}")
    return ModelConfig.of_settings(_architecture(given), given)


def _architecture(given: Mapping[str, Any]) -> Any:
    return given.get("architecture", default_architecture())


def _names(config: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(config)}
