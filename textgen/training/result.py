"""How a training run ended."""

from __future__ import annotations

import dataclasses
import math

from textgen.errors import TrainingDivergedError
from textgen.models.base import LanguageModel

# Untrained models have at most twice the loss of a guess.
_MAX_GUESSES = 10


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        model: The model, with the best weights.
        step: Steps done.
        best_step: The step of the best weights. It is above `step` if a run was killed after
            writing them and before writing a checkpoint.
        validation_loss: Validation loss of the best weights, in nats per token.
        ended_by: `"max_steps"`, `"patience"`, or the reason that `should_stop` returned, such as
            `"interrupt"` or `"time_budget"`.
        is_chief: Whether this process is the one that writes files.
        is_validated: Whether there was a validation part. If not, the weights are the last, and
            the loss is that on the training part.
        initial_loss: The same loss before the first step, in nats per token, if the run began
            from a trained model.
        trained_fraction: Fraction of the model's weights that were trained, adapters included.
        test_loss: Loss of the exported weights on the test part, in nats per token, if there is
            one.
    """

    model: LanguageModel
    step: int
    best_step: int
    validation_loss: float
    ended_by: str
    is_chief: bool
    is_validated: bool = True
    initial_loss: float | None = None
    trained_fraction: float = 1.0
    test_loss: float | None = None

    def check_learned(self, vocab_size: int) -> None:
        """Check that the model is not far worse than a guess, as after a run that diverged.

        Raises:
            TrainingDivergedError: If its loss is more than ten times that of guessing every
                token with the same probability.
        """
        guess = math.log(vocab_size)
        if self.validation_loss > _MAX_GUESSES * guess:
            raise TrainingDivergedError(
                f"Training diverged: the best loss is {self.validation_loss:.3g} nats per token, "
                f"but a guess has only {guess:.3g}. Nothing is exported. Try a lower "
                "learning_rate or the optimizer adamw."
            )
