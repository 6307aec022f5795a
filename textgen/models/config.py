"""The settings of a model: those that all families share, and how a family is chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from textgen.checks import check, check_int_in, check_positive_int
from textgen.errors import ConfigError
from textgen.models import registry
from textgen.models.profile import Profile
from textgen.record import LEFT_OUT, Record

_DEFAULT_WIDTH = 128
# The deepest Transformer that was published has 1,000 layers (https://arxiv.org/abs/2203.00555).
_MAX_LAYERS = 1024
# Stands for the default family; `None` is a value that may be refused.
_DEFAULT: Any = object()


@dataclasses.dataclass(frozen=True, init=False)
class ModelConfig(Record):
    """The shape of a model.

    `ModelConfig(architecture, ...)` returns the config of that family, such as a
    `TransformerConfig`, which may have more settings than these.

    Attributes:
        architecture: The family: `"transformer"`, `"llama"` or `"lstm"`.
        num_layers: Number of layers or blocks.
        hidden_dim: Width of the embedding and of every layer. If left out, 128 or what suits
            the family's other settings.
        context_length: Tokens in a training window, and the longest span attended to.
        dropout: Fraction of activations dropped in training.

    Raises:
        ConfigError: If a value is out of range, or there is no such family.

    Example:
        >>> textgen.ModelConfig("transformer", num_layers=2).context_length
        128
    """

    architecture: str
    _: dataclasses.KW_ONLY
    num_layers: int = 4
    hidden_dim: int = LEFT_OUT
    context_length: int = 128
    dropout: float = 0.1

    def __new__(cls, architecture: Any = _DEFAULT, **settings: Any) -> ModelConfig:
        """Return an empty config of the family's class, whose `__init__` follows."""
        return super().__new__(_class_of(architecture) if cls is ModelConfig else cls)

    def __post_init__(self) -> None:
        if not isinstance(self, _class_of(self.architecture)):
            raise ConfigError(
                f"{type(self).__name__} is of another family. Received: {self.architecture!r}"
            )
        if self.hidden_dim is LEFT_OUT:
            self._fill_in(hidden_dim=_DEFAULT_WIDTH)
        check_positive_int(self, "num_layers", "hidden_dim", "context_length")
        check_int_in("num_layers", self.num_layers, 1, _MAX_LAYERS)
        check(
            isinstance(self.dropout, (int, float)) and 0 <= self.dropout < 1,
            "dropout must be in [0, 1)",
            self.dropout,
        )
        check(self.context_length >= 2, "context_length must be at least 2", self.context_length)

    @property
    def profile(self) -> Profile[Any]:
        """The profile of the model's family."""
        return registry.profile_of(self.architecture)

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """Return the names of the settings that shape a model of this family."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def reconcile(cls, settings: dict[str, Any], fixed: Collection[str]) -> dict[str, Any]:
        """Return settings that fit together.

        Args:
            settings: The settings of a shape by name.
            fixed: Names of the settings that must not change.
        """
        return settings

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Build the config from the result of `to_dict`.

        Raises:
            ConfigError: If a name is unknown or a value is out of range.
        """
        if cls is ModelConfig:
            return _class_of(values.get("architecture", _DEFAULT)).from_dict(values)
        return super().from_dict(values)

    @classmethod
    def of_size(cls, architecture: str, size: str, **overrides: Any) -> ModelConfig:
        """Return the config of a named size with the given settings replaced.

        Args:
            architecture: The family, such as `"transformer"`.
            size: A size of the family, such as `"small"`.
            **overrides: Settings that replace those of the size; `None` keeps one as it is.

        Raises:
            ConfigError: If there is no such size, or a value is out of range.

        Example:
            >>> textgen.ModelConfig.of_size("lstm", "tiny", dropout=0.0).hidden_dim
            96
        """
        sizes = registry.profile_of(architecture).sizes
        check(size in sizes, f"size must be one of {', '.join(sizes)}", size)
        given = {name: value for name, value in overrides.items() if value is not None}
        return _class_of(architecture)(architecture, **{**sizes[size], **given})

    @classmethod
    def of_settings(cls, architecture: str, given: Mapping[str, Any]) -> ModelConfig:
        """Return the config of the size small, with the given settings and those that suit them.

        Args:
            architecture: The family.
            given: Settings that must not change, by name.

        Raises:
            ConfigError: If a setting is not one of the family, or out of range.

        Example:
            >>> textgen.ModelConfig.of_settings("transformer", {"num_heads": 3}).hidden_dim
            144
        """
        config_class = _class_of(architecture)
        for name in given.keys() - config_class.setting_names():
            families = " and the ".join(registry.architectures_with(name))
            raise ConfigError(
                f"{name} is for the {families}. Received: {name}={given[name]!r} with "
                f"architecture={architecture!r}"
            )
        config_class(**given)  # refuses values out of range, which cannot be reconciled
        small = registry.profile_of(architecture).sizes["small"]
        return config_class(**config_class.reconcile({**small, **given}, given))


def _class_of(architecture: Any) -> type[Any]:
    if architecture is _DEFAULT:
        architecture = registry.default_architecture()
    return registry.profile_of(architecture).config_class
