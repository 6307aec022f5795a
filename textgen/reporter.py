"""What training reports. The library never prints; the command line does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textgen.metrics import perplexity

if TYPE_CHECKING:
    from textgen.planning import Plan


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        step: Steps done.
        max_steps: Steps to do in all; an estimate if the time is limited.
        loss: Mean training loss of the latest steps, in nats per token.
        tokens_per_second: Training speed, over all replicas.
        seconds_left: Estimated seconds until `max_steps`.
        accuracy: Mean next-token accuracy of the latest steps: the fraction of tokens that the
            model found most likely.

    Example:
        >>> class Percent(textgen.Reporter):
        ...     def progress(self, progress):
        ...         print(f"{progress.step / progress.max_steps:.0%}")
        >>> Percent().progress(textgen.Progress(50, 1000, 2.3, 9000.0, 60.0))
        5%
    """

    step: int
    max_steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    accuracy: float = 0.0


@dataclass(frozen=True)
class Validation:
    """The result of one pass over the validation part.

    Attributes:
        step: Steps done.
        loss: Mean training loss since the previous validation, in nats per token. At step 0,
            which only a run that begins from a model validates, the validation loss.
        validation_loss: Validation loss in nats per token.
        bits_per_character: Validation loss in bits per character, comparable across tokenizers.
        learning_rate: Learning rate at this step.
        tokens_per_second: Training speed since the previous validation. `None` if the only
            step was that of the first call, which compiles.
        best: Whether this is the lowest validation loss so far.
        accuracy: Mean next-token accuracy in training since the previous validation.
        validation_accuracy: Next-token accuracy on the validation part.
        is_held_out: Whether the corpus has a validation part. If not, the loss is measured on the
            training part, which the model memorizes.

    Example:
        >>> validation = textgen.Validation(500, 1.4, 1.5, 2.16, 0.01, 9000.0, best=True)
        >>> round(validation.perplexity, 2)
        4.48
    """

    step: int
    loss: float
    validation_loss: float
    bits_per_character: float
    learning_rate: float
    tokens_per_second: float | None
    best: bool
    accuracy: float = 0.0
    validation_accuracy: float = 0.0
    is_held_out: bool = True

    @property
    def perplexity(self) -> float:
        """exp(validation loss)."""
        return perplexity(self.validation_loss)


class Reporter:
    """Receives what happens during training, and ignores it. Override what is of interest.

    Example:
        >>> class Losses(textgen.Reporter):
        ...     def validation(self, validation):
        ...         print(validation.step, validation.validation_loss)
    """

    def phase(self, name: str) -> None:
        """A phase begins.

        In this order: `reading`, then either `learning` (the tokenizer) and `encoding` or
        `reusing` (the tokens of the previous run); with a teacher, `teaching`; `compiling`;
        `training` and `validating`, alternately; `exporting`.
        """

    def bytes_done(self, done: int, total: int | None) -> None:
        """The phase has processed `done` bytes of the corpus. `total` is `None` if unknown."""

    def planned(self, plan: Plan) -> None:
        """The run has been planned. Called before it compiles."""

    def progress(self, progress: Progress) -> None:
        """Some steps are done."""

    def validation(self, validation: Validation) -> None:
        """The model has been validated."""

    def sample(self, text: str) -> None:
        """The model generated this text, right after a validation."""
