"""What training tells whoever watches. The library never prints; the command line does."""

from __future__ import annotations

from dataclasses import dataclass

from textgen.perplexity import perplexity


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: steps done.
        max_steps: steps asked for.
        loss: mean training loss of the newest steps, nats a token.
        tokens_per_second: over all replicas.
        seconds_left: estimate until `max_steps`.
    """

    step: int
    max_steps: int
    loss: float
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Validation:
    """The result of one pass over the validation part.

    Attributes:
        step: steps done.
        loss: mean training loss since the validation before, nats a token.
        validation_loss: nats a token.
        bits_per_character: of the validation text; comparable across tokenizers.
        learning_rate: at this step.
        tokens_per_second: of training, since the validation before; `None` where no step
            was done but that of the first call, which compiles.
        best: whether no earlier validation was as good.
    """

    step: int
    loss: float
    validation_loss: float
    bits_per_character: float
    learning_rate: float
    tokens_per_second: float | None
    best: bool

    @property
    def perplexity(self) -> float:
        """exp(validation loss)."""
        return perplexity(self.validation_loss)


class Reporter:
    """Receives what happens; this one ignores it all. Override what is of interest."""

    def phase(self, name: str) -> None:
        """A phase begins.

        In this order: `reading`, then either `learning` (the tokenizer) and `encoding` or
        `reusing` (the tokens of the run before); `compiling`; `training` and `validating` in
        turn; `exporting`.
        """

    def bytes_done(self, done: int, total: int | None) -> None:
        """So many bytes of the corpus are through the phase, of so many where that is known."""

    def planned(self, plan: str) -> None:
        """The run was planned, before it compiles; the plan in two lines."""

    def progress(self, progress: Progress) -> None:
        """Some steps were done."""

    def validation(self, validation: Validation) -> None:
        """The model was validated."""

    def sample(self, text: str) -> None:
        """The model wrote this, right after a validation."""
