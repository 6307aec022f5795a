"""The settings of a trigram model."""

from __future__ import annotations

import dataclasses

from textgen.models.config import ModelConfig


@dataclasses.dataclass(frozen=True)
class TrigramConfig(ModelConfig):
    """The shape of a trigram model, with a setting that no other family has."""

    architecture: str = "trigram"
    _: dataclasses.KW_ONLY
    slope: float = 1.0
