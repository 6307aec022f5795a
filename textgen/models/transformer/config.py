"""The settings of a Transformer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from typing import Any, Literal

from textgen.checks import check_choice, check_positive_int
from textgen.errors import ConfigError
from textgen.models.config import ModelConfig
from textgen.record import LEFT_OUT

# A chosen width is a multiple of this, for the processors' matrix units.
_WIDTH_UNIT = 16
_DEFAULT_SHAPE = {"num_heads": 4, "hidden_dim": 128}


@dataclasses.dataclass(frozen=True)
class TransformerConfig(ModelConfig):
    """The shape of a Transformer; see `ModelConfig` for the other settings.

    Attributes:
        num_heads: Attention heads per block; must divide `hidden_dim`. If left out, 4 or what
            suits `hidden_dim`; see `share_width`.
        intermediate_dim: Width of the feed-forward layer. If `None`, 4 x `hidden_dim`.
        positions: How the model knows the order of tokens: `"relative"` (a learned bias of
            attention per head and distance), `"learned"` (an embedding per position),
            `"sinusoidal"` (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762) or `"rotary"`
            (Su et al. 2021, https://arxiv.org/abs/2104.09864; the width of a head must be even).
    """

    architecture: str = "transformer"
    _: dataclasses.KW_ONLY
    num_heads: int = LEFT_OUT
    intermediate_dim: int | None = None
    positions: Literal["relative", "learned", "sinusoidal", "rotary"] = "relative"

    def __post_init__(self) -> None:
        left_out = {name for name in _DEFAULT_SHAPE if getattr(self, name) is LEFT_OUT}
        self._fill_in(**{name: _DEFAULT_SHAPE[name] for name in left_out})
        super().__post_init__()
        check_positive_int(self, "num_heads")
        if self.intermediate_dim is not None:
            check_positive_int(self, "intermediate_dim")
        fixed = _DEFAULT_SHAPE.keys() - left_out
        self._fill_in(**share_width(self.num_heads, self.hidden_dim, fixed))
        if self.hidden_dim % self.num_heads:
            raise ConfigError(
                "hidden_dim must be a multiple of num_heads. "
                f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )
        check_choice(self, "positions")
        if self.positions == "rotary" and self.hidden_dim % (2 * self.num_heads):
            raise ConfigError(
                "hidden_dim must be a multiple of 2 x num_heads if positions are rotary. "
                f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )

    @property
    def feedforward_dim(self) -> int:
        """The width of the feed-forward layer."""
        return self.intermediate_dim or 4 * self.hidden_dim

    @classmethod
    def reconcile(cls, settings: dict[str, Any], fixed: Collection[str]) -> dict[str, Any]:
        """Return settings whose heads share the width; see `ModelConfig.reconcile`."""
        return settings | share_width(settings["num_heads"], settings["hidden_dim"], fixed)


def share_width(num_heads: int, hidden_dim: int, fixed: Collection[str]) -> dict[str, int]:
    """Return heads and a width that they share evenly, close to the given ones.

    Args:
        num_heads: Attention heads per block.
        hidden_dim: Width of the model. If it is not fixed and the heads do not divide it, it
            becomes the next multiple of them and of 16.
        fixed: Which of the two must stay. If only the width is fixed, the heads become the next
            smaller divisor of it; if both are, nothing changes.

    Example:
        >>> share_width(3, 128, fixed=["num_heads"])
        {'num_heads': 3, 'hidden_dim': 144}
    """
    if hidden_dim % num_heads:
        if "hidden_dim" not in fixed:
            unit = math.lcm(num_heads, _WIDTH_UNIT)
            hidden_dim = -(-hidden_dim // unit) * unit
        elif "num_heads" not in fixed:
            num_heads = max(fewer for fewer in range(1, num_heads) if hidden_dim % fewer == 0)
    return {"num_heads": num_heads, "hidden_dim": hidden_dim}
