"""The model card: what a model is, what it learned from, how good it is."""

from __future__ import annotations

import dataclasses
import math
import platform
import typing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from textgen.metrics import bits_per_character, perplexity
from textgen.version import __version__

if TYPE_CHECKING:
    from textgen.run import Run
    from textgen.training.result import TrainingResult


@dataclass(frozen=True, kw_only=True)
class _Part:
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
            each.name: value.to_dict() if isinstance(value, _Part) else value
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
    is_part = issubclass(kind, _Part)
    # An integer is a float, too.
    if not isinstance(value, dict if is_part else (int, float) if kind is float else kind):
        raise TypeError(f"{name} is a {type(value).__name__}")
    if is_part:
        return kind.from_dict(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value


@dataclass(frozen=True, kw_only=True)
class ModelShape(_Part):
    """The shape of a model: what all families share, and in `other` what its own adds."""

    architecture: str
    num_layers: int
    hidden_dim: int
    context_length: int


@dataclass(frozen=True, kw_only=True)
class TokenizerSummary(_Part):
    """The kind of a tokenizer, and its number of tokens."""

    kind: str
    vocab_size: int


@dataclass(frozen=True, kw_only=True)
class CorpusSummary(_Part):
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
class TrainingSummary(_Part):
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
class PublishedSummary(_Part):
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
class ParentSummary(_Part):
    """The model that a run began from; see `textgen.run.Parent`.

    Attributes:
        name: The model's name.
        version: The version's number; `None` for a SavedModel outside a version folder.
        digest: SHA-256 of its weights and its tokenizer in hexadecimal.
        license: The license that it was published under, if known.
        validation_loss: Its loss on the new validation part, in nats per token.
    """

    name: str
    version: int | None = None
    digest: str
    license: str | None = None
    validation_loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class Versions(_Part):
    """The versions of the packages that made a model."""

    textgen: str
    tensorflow: str
    keras: str


@dataclass(frozen=True, kw_only=True)
class ModelCard(_Part):
    """What people and programs should know about a model.

    What only training can tell is `None` if the model was imported and not trained since.

    Attributes:
        name: The model's name when it was exported. `None` if an earlier version did not say.
        model: The model's shape.
        num_parameters: Number of weights.
        tokenizer: The tokenizer.
        published: Where an imported model comes from.
        corpus: What the model learned from.
        training: How it was trained.
        parent: The model that the training began from, if there was one.
        steps: Training steps.
        best_step: The step whose weights were exported.
        validation_loss: Validation loss in nats per token.
        perplexity: exp(validation loss).
        bits_per_character: Validation loss in bits per character.
        test_loss: The same on the test part, if there was one.
        created: When the model was exported, in UTC, as ISO 8601.
        versions: The versions of the packages in use.

    Example:
        >>> with textgen.load("shakespeare") as model:
        ...     model.card.tokenizer.kind
        'character'
    """

    name: str | None = None
    model: ModelShape
    num_parameters: int
    tokenizer: TokenizerSummary
    published: PublishedSummary | None = None
    corpus: CorpusSummary | None = None
    training: TrainingSummary | None = None
    parent: ParentSummary | None = None
    steps: int | None = None
    best_step: int | None = None
    validation_loss: float | None = None
    perplexity: float | None = None
    bits_per_character: float | None = None
    test_loss: float | None = None
    created: str
    versions: Versions

    def __post_init__(self) -> None:
        for name in _OF_TRAINING if self.published is None else ():
            if getattr(self, name) is None:
                raise KeyError(name)

    @property
    def is_validated(self) -> bool:
        """Whether the loss was measured on text that was kept for validation, if that is known.

        A corpus too small for that is judged by the text that the model learned.
        """
        return self.corpus is None or self.corpus.other.get("validation_characters") != 0

    @property
    def origin(self) -> str:
        """What the model learned from, or was imported from, in a few words."""
        if self.corpus is not None:
            return self.corpus.description
        return self.published.source if self.published else "unknown"


_OF_TRAINING = (
    *("corpus", "training", "steps"),
    *("validation_loss", "perplexity", "bits_per_character"),
)


def make_card(name: str, run: Run, result: TrainingResult) -> ModelCard:
    """Return the card of the model that a run trained.

    Args:
        name: The model's name.
        run: The training run that produced the model.
        result: How the run ended.
    """
    from textgen.training.optimizers import choose_optimizer

    config, loss, parent = run.config, result.validation_loss, None
    if run.parent is not None:
        known = {k: getattr(run.parent, k) for k in ("name", "version", "digest", "license")}
        parent = ParentSummary(**known, validation_loss=result.initial_loss)
    return ModelCard(
        name=name,
        model=ModelShape.from_dict(config.model.to_dict()),
        num_parameters=sum(math.prod(v.shape) for v in result.model.named_variables().values()),
        tokenizer=TokenizerSummary(kind=run.tokenizer.kind, vocab_size=run.tokenizer.vocab_size),
        corpus=CorpusSummary.from_dict({**run.corpus.to_dict(), "config": config.corpus.to_dict()}),
        training=TrainingSummary.from_dict(
            {
                **config.training.to_dict(),
                "optimizer": choose_optimizer(config.training, config.model),
                "ended_by": result.ended_by,
            }
        ),
        parent=parent,
        steps=result.step,
        best_step=result.best_step,
        validation_loss=loss,
        perplexity=perplexity(loss),
        bits_per_character=bits_per_character(loss, run.tokens_per_character),
        test_loss=result.test_loss,
        created=now(),
        versions=current_versions(),
    )


def now() -> str:
    """Return the time in UTC, as cards spell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def current_versions() -> Versions:
    """Return the versions of the installed packages."""
    from importlib.metadata import version

    return Versions(
        textgen=__version__,
        tensorflow=version("tensorflow"),
        keras=version("keras"),
        other={"python": platform.python_version(), "keras-nlp": version("keras-nlp")},
    )
