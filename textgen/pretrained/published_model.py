"""A published model that has been read: everything that an exported model is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from textgen.card_parts import PublishedSummary
from textgen.config import ModelConfig
from textgen.tokenizer import ImportedTokenizer

_MAX_TEMPLATE_CHARACTERS = 1 << 16


@dataclass(frozen=True)
class PublishedModel:
    """A model that others trained.

    Attributes:
        config: The shape of the model.
        weights: The weights by the names of `LanguageModel.named_variables`, read one by one.
        num_parameters: Number of weights.
        tokenizer: The tokenizer.
        chat_template: How a dialogue becomes a prompt, as a Jinja template, if the source has one.
        summary: Where the model comes from.
    """

    config: ModelConfig
    weights: Mapping[str, np.ndarray]
    num_parameters: int
    tokenizer: ImportedTokenizer
    chat_template: str | None
    summary: PublishedSummary

    def __post_init__(self) -> None:
        template = self.chat_template
        if template is not None and len(template) > _MAX_TEMPLATE_CHARACTERS:
            from textgen.errors import PublishedModelError

            raise PublishedModelError(
                f"A chat template must have {_MAX_TEMPLATE_CHARACTERS:,} characters or fewer. "
                f"Received: {len(template):,}"
            )

    def from_source(self, source: str) -> PublishedModel:
        """Return the model with the name of its source as the user gave it."""
        return dataclasses.replace(self, summary=dataclasses.replace(self.summary, source=source))
