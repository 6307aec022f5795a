"""The parts of a model card: records that check themselves when they are read."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Part:
    """A JSON object that checks itself when it is read.

    Attributes:
        other: What the object holds besides the fields, such as facts of another version.
    """

    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the record from the result of `to_dict`.

        Raises:
            KeyError: If a field is missing.
            TypeError: If a field has another type.
            ValueError: If a number is not finite.
        """
        if not isinstance(values, dict):
            raise TypeError(f"the card is a {type(values).__name__}")
        kinds = typing.get_type_hints(cls)
        known: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            is_optional = each.default is not dataclasses.MISSING
            if each.name != "other" and not (is_optional and each.name not in values):
                known[each.name] = _checked(each.name, values[each.name], kinds[each.name])
        other = {name: value for name, value in values.items() if name not in known}
        return cls(**known, other=other)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        values = {
            each.name: value.to_dict() if isinstance(value, Part) else value
            for each in dataclasses.fields(self)
            if each.name != "other" and (value := getattr(self, each.name)) is not None
        }
        return {**values, **self.other}


def _checked(name: str, value: Any, kind: Any) -> Any:
    """Return a field's value if it has the type that the field promises."""
    # Optional fields are a union.
    kinds = typing.get_args(kind) or (kind,)
    if value is None and type(None) in kinds:
        return value
    kind = kinds[0]
    is_part = issubclass(kind, Part)
    # An integer is a float, too.
    if not isinstance(value, dict if is_part else (int, float) if kind is float else kind):
        raise TypeError(f"{name} is a {type(value).__name__}")
    if is_part:
        return kind.from_dict(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


@dataclass(frozen=True, kw_only=True)
class ModelShape(Part):
    """The shape of a model: what all families share, and in `other` what its own adds."""

    architecture: str
    num_layers: int
    hidden_dim: int
    context_length: int


@dataclass(frozen=True, kw_only=True)
class TokenizerSummary(Part):
    """The kind of a tokenizer, and its number of tokens.

    Attributes:
        unseen: Ids of tokens that the model has not learned and never generates, if known.
    """

    kind: str
    vocab_size: int
    unseen: list | None = None

    @classmethod
    def of(cls, kind: str, vocab_size: int, is_seen: Iterable[bool] | None) -> Self:
        """Return the summary of a tokenizer.

        Args:
            kind: The kind of the tokenizer.
            vocab_size: Number of tokens, V.
            is_seen: bool[V], the tokens that the model has learned, if known.
        """
        unseen = None
        if is_seen is not None:
            unseen = [token for token, seen in enumerate(is_seen) if not seen]
        return cls(kind=kind, vocab_size=vocab_size, unseen=unseen)


@dataclass(frozen=True, kw_only=True)
class CorpusSummary(Part):
    """What a model learned from; see `textgen.corpus.CorpusFacts`.

    Attributes:
        config: The settings that cleaned the corpus; see `textgen.CorpusConfig`.
    """

    description: str
    digest: str
    has_documents: bool
    num_documents: int
    num_characters: int
    config: dict


@dataclass(frozen=True, kw_only=True)
class TrainingSummary(Part):
    """How a model was trained; `other` holds the rest of `textgen.TrainingConfig`.

    Attributes:
        batch_size: Windows per step.
        optimizer: The optimizer's name, never `"auto"`.
        ended_by: Why training ended, such as `"max_steps"`.
    """

    batch_size: int
    optimizer: str
    ended_by: str


@dataclass(frozen=True, kw_only=True)
class PublishedSummary(Part):
    """Where a model comes from that others trained and published.

    Attributes:
        source: The folder, file or address that was imported.
        digest: SHA-256 of the imported files.
        license: The license that the source names, if any.
    """

    source: str
    digest: str
    license: str | None = None


@dataclass(frozen=True, kw_only=True)
class ParentSummary(Part):
    """A model that a run began from, or was taught by; see `textgen.run.Parent`.

    Attributes:
        name: The model's name.
        version: The version's number; `None` for a SavedModel outside a version folder.
        digest: SHA-256 of its weights and its tokenizer in hexadecimal.
        license: The license that it was published under, if known.
        validation_loss: Its loss on the new validation part, in nats per token, if it was measured.
    """

    name: str
    version: int | None = None
    digest: str
    license: str | None = None
    validation_loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class CopiesSummary(Part):
    """What a model copied from its corpus when it was exported: passages of 20 characters or more.

    Attributes:
        num_characters: Characters that it wrote, from nothing and with default settings.
        longest: Characters of the longest copy.
        fraction: The fraction of the characters that are copied.
        held_out_characters: Characters of the corpus that it was not trained on, measured for
            comparison; 0 if nothing was held out.
        held_out_longest: Like `longest`, of these.
        held_out_fraction: Like `fraction`, of these.
    """

    num_characters: int
    longest: int
    fraction: float
    held_out_characters: int
    held_out_longest: int
    held_out_fraction: float


@dataclass(frozen=True, kw_only=True)
class CopyTable(Part):
    """The table by which a model can be kept from copying wherever it runs.

    Attributes:
        num_bytes: Its size.
        false_positive_rate: How likely 20 bytes that are not in the corpus seem to be in it.
    """

    num_bytes: int
    false_positive_rate: float


@dataclass(frozen=True, kw_only=True)
class StorageSummary(Part):
    """How the weights of a model are stored; see `textgen.shrink`.

    Attributes:
        precision: The type of the numbers in matrices, such as `"int8"`.
        pruned: Fraction of the weights of each matrix that were made zero, if any.
        bits_per_character: The loss of these weights on a text. `None` in cards of earlier
            versions, as are the next two.
        original_bits_per_character: The loss of the weights that they were made from.
        text: The text, in a few words.
    """

    precision: str
    pruned: float | None = None
    bits_per_character: float | None = None
    original_bits_per_character: float | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Versions(Part):
    """The versions of the packages that made a model."""

    textgen: str
    tensorflow: str
    keras: str
