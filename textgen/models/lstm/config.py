"""The settings of an LSTM."""

from __future__ import annotations

import dataclasses

from textgen.models.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class LSTMConfig(ModelConfig):
    """The shape of an LSTM; see `ModelConfig`.

    Attributes:
        num_heads: Ignored. The stored config of every LSTM has it.
        intermediate_dim: Ignored, likewise.
    """

    architecture: str = "lstm"
    _: dataclasses.KW_ONLY
    num_heads: int = 4
    intermediate_dim: int | None = None

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """Return the names of the settings that are not ignored."""
        ignored = ("num_heads", "intermediate_dim")
        return tuple(name for name in super().setting_names() if name not in ignored)
