"""Save weights, optimizer slots and progress of a run, and restore them."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

import keras
import numpy as np

from textgen.errors import CheckpointError
from textgen.models.base import LanguageModel
from textgen.training.checkpoints import Checkpoints

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class State:
    """The progress of a run: what a checkpoint stores in addition to weights and slots.

    Attributes:
        schedule: The points of the learning rate, if the clock decides on them; see
            `textgen.training.pace`.
        leg_start: The step at which the newest climb of the learning rate began.
        next_validation: The step of the next validation, if the clock decides on it.
        seconds_left: Seconds until the model must be exported, if that is limited.
        initial_loss: The validation loss before the first step of a run that has a parent.
    """

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    validations_since_best: int = 0
    loss_sum: float = 0.0  # over the steps since the last validation
    loss_count: int = 0
    accuracy_sum: float = 0.0  # over the same steps
    schedule: list[list[float]] | None = None
    leg_start: int = 0
    next_validation: int | None = None
    seconds_left: float | None = None
    initial_loss: float | None = None


class CheckpointManager:
    """Saves and restores a run.

    A full disk does not stop training: the previous checkpoint stays, and the next one is tried
    when it is due.

    Args:
        checkpoints: Where to keep checkpoints.
        model: The model whose weights they hold.
        optimizer: The optimizer whose slots they hold.
    """

    def __init__(
        self, checkpoints: Checkpoints, model: LanguageModel, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self._checkpoints = checkpoints
        # Named by position, because Keras numbers its paths by what else the process has built.
        self._weights = {f"model/{i}": v for i, v in enumerate(model.trainable_variables)}
        self._slots = {f"optimizer/{i}": v for i, v in enumerate(optimizer.variables)}
        # The best weights, until they are written.
        self._unwritten_best: dict[str, np.ndarray] = {}
        self._cannot_write = False

    def keep_best(self) -> None:
        """Keep the current weights as the best so far; the next `save` writes them."""
        # Copies, because training continues while they wait for the disk.
        weights = _values(self._weights)
        self._unwritten_best = {name: value.copy() for name, value in weights.items()}

    def is_finite(self) -> bool:
        """Whether everything that the next `save` would write is finite."""
        values = _values(self._weights | self._slots).values()
        return all(np.isfinite(value).all() for value in values)

    def save(self, state: State) -> None:
        """Write a checkpoint; before it, the best weights if they are new."""
        progress: dict[str, Any] = dataclasses.asdict(state)
        try:
            if self._unwritten_best:
                best = {"step": state.best_step, "loss": state.best_loss}
                self._checkpoints.save_best(self._unwritten_best, best)
                self._unwritten_best = {}
            self._checkpoints.save(state.step, _values(self._weights | self._slots), progress)
        except OSError as error:
            self.warn_unwritten(state.step, error)
        else:
            self._cannot_write = False

    def warn_unwritten(self, step: int, error: OSError) -> None:
        """Warn that something of `step` is not on disk, once until a checkpoint is written."""
        if not self._cannot_write:
            logger.warning(
                "Step %d cannot be written to disk (%s). Training continues; the previous "
                "checkpoint is kept.",
                step,
                error,
            )
        self._cannot_write = True

    def restore(self) -> State:
        """Load the newest checkpoint into model and optimizer; return the run's progress.

        A run that was killed before its first checkpoint begins with step 0.

        Raises:
            CheckpointError: If none can be read, or the model has another shape.
        """
        if self._checkpoints.is_empty:
            return State()
        arrays, progress = self._checkpoints.load_newest()
        named = self._weights | self._slots
        if {k: v.shape for k, v in arrays.items()} != {k: tuple(v.shape) for k, v in named.items()}:
            raise CheckpointError("The checkpoint was made by a model of another shape.")
        for name, variable in named.items():
            variable.assign(arrays[name])
        return State(**progress)

    def restore_best(self, state: State) -> tuple[int, float]:
        """Load the best weights into the model; return their step and validation loss.

        On disk they may be newer than those that `state` knows: the run continued from an older
        checkpoint if it was killed right after they were written, or if the checkpoint written
        with them is damaged.

        Raises:
            CheckpointError: If they are missing or damaged, or their validation loss is unknown.
        """
        arrays, step, loss = self._unwritten_best, state.best_step, state.best_loss
        if not arrays:
            arrays, best = self._checkpoints.load_best()
            if "loss" in best:
                step, loss = best["step"], best["loss"]
            # Written by an older textgen.
            elif best["step"] != step:
                raise CheckpointError(
                    f"The best weights must be those of step {step}. Received: of step "
                    f"{best['step']}, without their validation loss."
                )
        for name, variable in self._weights.items():
            variable.assign(arrays[name])
        return step, loss


def _values(variables: dict[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: np.asarray(variable) for name, variable in variables.items()}
