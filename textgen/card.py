"""The model card: what a model is, what it learned from, how good it is."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textgen.card_parts import (
    CopiesSummary,
    CopyTable,
    CorpusSummary,
    ModelShape,
    ParentSummary,
    Part,
    PublishedSummary,
    StorageSummary,
    TokenizerSummary,
    TrainingSummary,
    Versions,
)
from textgen.metrics import perplexity
from textgen.version import __version__

if TYPE_CHECKING:
    from textgen.run import Run
    from textgen.training.result import TrainingResult


@dataclass(frozen=True, kw_only=True)
class ModelCard(Part):
    """What people and programs should know about a model.

    Fields that describe the training are `None` if the model was imported and not trained since.

    Attributes:
        name: The model's name when it was exported. `None` in cards of earlier versions.
        model: The model's shape.
        num_parameters: Number of weights.
        tokenizer: The tokenizer.
        published: Where an imported model comes from.
        corpus: What the model learned from.
        training: How it was trained.
        parent: The model that the training began from, if there was one.
        teacher: The model whose predictions it learned beside the text, if there was one.
        storage: How the weights are stored, if not as they were trained. Then the losses below are
            those of the original weights.
        steps: Training steps.
        best_step: The step whose weights were exported.
        validation_loss: Validation loss in nats per token.
        perplexity: exp(validation loss).
        bits_per_character: Validation loss in bits per character.
        test_loss: The same on the test part, if there was one.
        copies: What it copied from its corpus, if that was measured.
        copy_table: The table of its corpus in its graph, if it has one.
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
    teacher: ParentSummary | None = None
    storage: StorageSummary | None = None
    steps: int | None = None
    best_step: int | None = None
    validation_loss: float | None = None
    perplexity: float | None = None
    bits_per_character: float | None = None
    test_loss: float | None = None
    copies: CopiesSummary | None = None
    copy_table: CopyTable | None = None
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
    def own_bits_per_character(self) -> float | None:
        """The loss of these very weights in bits per character, if it was measured."""
        if self.storage is None:
            return self.bits_per_character
        return self.storage.bits_per_character

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
        tokenizer=TokenizerSummary.of(
            run.tokenizer.kind, run.tokenizer.vocab_size, run.seen_tokens()
        ),
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
        bits_per_character=run.bits_per_character(loss),
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
