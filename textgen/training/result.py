"""How a training run ended."""

from __future__ import annotations

import dataclasses

from textgen.models.base import LanguageModel


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
