"""The settings of a model of the Llama family."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from textgen.checks import check, check_finite, check_positive_int, is_number
from textgen.errors import ConfigError
from textgen.models.config import ModelConfig

# The width of the gate and of what it opens, over the model's: with it, the three matrices of a
# gated layer have as many weights as the two of one that is four times as wide (Shazeer 2020).
_EXPANSION = 8 / 3
# A chosen width is a multiple of this, for the processors' matrix units.
_WIDTH_UNIT = 16
_SCALING = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")


@dataclasses.dataclass(frozen=True)
class LlamaConfig(ModelConfig):
    """The shape of a model of the Llama family; see `ModelConfig` for the other settings.

    The names are those of Hugging Face's configs, or KerasHub's.

    Attributes:
        num_heads: Attention heads per block.
        num_key_value_heads: Heads of keys and values, each shared by as many heads of queries;
            must divide `num_heads`. If `None`, `num_heads`.
        head_dim: Width of a head, an even number. If `None`, `hidden_dim` / `num_heads`, rounded
            up to one.
        intermediate_dim: Width of the gated layer. If `None`, 8/3 x `hidden_dim`, rounded up to
            a multiple of 16.
        rope_theta: The base of the wavelengths of the rotations that mark positions.
        rope_scaling: How Llama 3.1 lengthens them, the four numbers `factor`,
            `low_freq_factor`, `high_freq_factor` and `original_max_position_embeddings`. If
            `None`, it does not.
        norm_epsilon: What the norms add to a mean square.
        tie_embeddings: Whether the output layer is the token embedding.
        query_bias: Whether queries, keys and values have biases, as in Qwen 2.
        query_norm: Whether queries and keys are normalized per head, as in Qwen 3.

    Example:
        >>> ModelConfig("llama", hidden_dim=576, num_heads=9, num_key_value_heads=3).head_width
        64
    """

    architecture: str = "llama"
    _: dataclasses.KW_ONLY
    num_heads: int = 4
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    intermediate_dim: int | None = None
    rope_theta: float = 10_000.0
    rope_scaling: Mapping[str, float] | None = None
    norm_epsilon: float = 1e-5
    tie_embeddings: bool = True
    query_bias: bool = False
    query_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive_int(self, "num_heads")
        for name in ("num_key_value_heads", "head_dim", "intermediate_dim"):
            if getattr(self, name) is not None:
                check_positive_int(self, name)
        if self.num_heads % self.key_value_heads:
            raise ConfigError(
                "num_heads must be a multiple of num_key_value_heads. Received: "
                f"num_heads={self.num_heads}, num_key_value_heads={self.num_key_value_heads}"
            )
        check(self.head_width % 2 == 0, "head_dim must be even", self.head_dim)
        check_finite(self, "rope_theta", 0, above=True)
        check_finite(self, "norm_epsilon", 0, above=True)
        for name in ("tie_embeddings", "query_bias", "query_norm"):
            value = getattr(self, name)
            check(isinstance(value, bool), f"{name} must be True or False", value)
        self._check_scaling()

    def _check_scaling(self):
        scaling = self.rope_scaling
        if scaling is None:
            return
        rule = f"rope_scaling must have the positive numbers {', '.join(_SCALING)}"
        is_whole = isinstance(scaling, Mapping) and set(scaling) == set(_SCALING)
        check(
            is_whole and all(is_number(value) and value > 0 for value in scaling.values()),
            rule,
            scaling,
        )
        check(
            scaling["low_freq_factor"] < scaling["high_freq_factor"],
            "low_freq_factor must be less than high_freq_factor",
            scaling,
        )

    @property
    def key_value_heads(self) -> int:
        """The heads of keys and values."""
        return self.num_key_value_heads or self.num_heads

    @property
    def head_width(self) -> int:
        """The width of a head."""
        return self.head_dim or 2 * -(-self.hidden_dim // (2 * self.num_heads))

    @property
    def feedforward_dim(self) -> int:
        """The width of the gated layer."""
        units = -(-self.hidden_dim * _EXPANSION // _WIDTH_UNIT)
        return self.intermediate_dim or int(units) * _WIDTH_UNIT

    @classmethod
    def reconcile(cls, settings: dict[str, Any], fixed: Collection[str]) -> dict[str, Any]:
        """Return settings whose keys serve whole groups of queries; see `ModelConfig.reconcile`."""
        groups = settings.get("num_key_value_heads") or 1
        if "num_heads" in fixed:
            return settings
        return settings | {"num_heads": -(-settings["num_heads"] // groups) * groups}
