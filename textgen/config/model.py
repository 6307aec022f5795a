"""Settings of a model, and the named sizes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any, ClassVar, Literal

from textgen.config.checks import check, check_choice, check_positive_int
from textgen.config.record import LEFT_OUT, Record
from textgen.errors import ConfigError

Architecture = Literal["lstm", "transformer"]

_WIDTH_UNIT = 16  # what matrix units are made for


def share_width(num_heads: int, hidden_dim: int, fixed: Collection[str]) -> dict[str, int]:
    """Return heads and a width that they share evenly, near the given ones.

    Args:
        num_heads: attention heads a block.
        hidden_dim: width of the model. Where it does not suit the heads and is not fixed, it
            becomes the next multiple of them and of 16.
        fixed: which of the two must stay. Where only the width is fixed, the heads become the
            next fewer that divide it; where both are, nothing is changed.
    """
    if hidden_dim % num_heads:
        if "hidden_dim" not in fixed:
            unit = math.lcm(num_heads, _WIDTH_UNIT)
            hidden_dim = -(-hidden_dim // unit) * unit
        elif "num_heads" not in fixed:
            num_heads = max(fewer for fewer in range(1, num_heads) if hidden_dim % fewer == 0)
    return {"num_heads": num_heads, "hidden_dim": hidden_dim}


@dataclasses.dataclass(frozen=True)
class ModelConfig(Record):
    """The shape of a model.

    Attributes:
        architecture: `"lstm"` or `"transformer"`.
        num_layers: number of LSTM layers or Transformer blocks.
        num_heads: attention heads a block; must divide `hidden_dim`. Unused by the LSTM. Where
            left out, 4 or what suits `hidden_dim`; see `share_width`.
        hidden_dim: width of the embedding and of every layer. Where left out, 128 or what suits
            `num_heads`.
        context_length: tokens in a training window, and the longest span attended to.
        dropout: share of activations dropped in training.
        intermediate_dim: width of the feed-forward layer; 4 x `hidden_dim` where `None`.
    """

    architecture: Architecture = "transformer"
    num_layers: int = 4
    num_heads: int = LEFT_OUT
    hidden_dim: int = LEFT_OUT
    context_length: int = 128
    dropout: float = 0.1
    intermediate_dim: int | None = None

    SIZES: ClassVar[dict[str, dict[str, dict[str, int]]]] = {
        "transformer": {
            "tiny": {"num_layers": 2, "num_heads": 2, "hidden_dim": 64, "context_length": 64},
            "small": {"num_layers": 4, "num_heads": 4, "hidden_dim": 128, "context_length": 128},
            "base": {"num_layers": 6, "num_heads": 6, "hidden_dim": 384, "context_length": 256},
        },
        "lstm": {
            "tiny": {"num_layers": 2, "hidden_dim": 96, "context_length": 64},
            "small": {"num_layers": 2, "hidden_dim": 256, "context_length": 128},
            "base": {"num_layers": 2, "hidden_dim": 768, "context_length": 256},
        },
    }

    def __post_init__(self) -> None:
        check_choice(self, "architecture", ("lstm", "transformer"))
        usual = self.SIZES["transformer"]["small"]
        left_out = {n for n in ("num_heads", "hidden_dim") if getattr(self, n) is LEFT_OUT}
        self._fill_in(**{name: usual[name] for name in left_out})
        check_positive_int(self, "num_layers", "num_heads", "hidden_dim", "context_length")
        if self.intermediate_dim is not None:
            check_positive_int(self, "intermediate_dim")
        check(
            isinstance(self.dropout, (int, float)) and 0 <= self.dropout < 1,
            "dropout must be in [0, 1)",
            self.dropout,
        )
        check(self.context_length >= 2, "context_length must be at least 2", self.context_length)
        if self.architecture == "transformer":
            given = {"num_heads", "hidden_dim"} - left_out
            self._fill_in(**share_width(self.num_heads, self.hidden_dim, given))
            if self.hidden_dim % self.num_heads:
                raise ConfigError(
                    "hidden_dim must be a multiple of num_heads. "
                    f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
                )

    @classmethod
    def of_size(cls, architecture: Architecture, size: str, **overrides: Any) -> ModelConfig:
        """Return the config of a named size, with the given fields replaced.

        Args:
            architecture: `"lstm"` or `"transformer"`.
            size: `"tiny"`, `"small"` or `"base"`.
            **overrides: fields that replace the size's own; `None` leaves one as it is.

        Raises:
            ConfigError: the size is unknown or a value is outside its range.
        """
        check(architecture in cls.SIZES, "architecture must be lstm or transformer", architecture)
        sizes = cls.SIZES[architecture]
        check(size in sizes, f"size must be one of {', '.join(sizes)}", size)
        given = {name: value for name, value in overrides.items() if value is not None}
        return cls(architecture=architecture, **{**sizes[size], **given})
