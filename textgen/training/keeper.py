"""What a run must not lose: weights, optimizer slots and where it stands, on disk."""

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
    """What a checkpoint keeps besides weights and slots."""

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    validations_since_best: int = 0
    loss_sum: float = 0.0  # of the steps since the last validation
    loss_count: int = 0


class Keeper:
    """Brings a run to disk and back.

    A full disk ends no run: the checkpoint before stays, and the next is tried in time.

    Args:
        checkpoints: where to keep them.
        model: whose weights they hold.
        optimizer: whose slots they hold.
    """

    def __init__(
        self, checkpoints: Checkpoints, model: LanguageModel, optimizer: keras.optimizers.Optimizer
    ) -> None:
        self._checkpoints = checkpoints
        # Named by place, because Keras numbers its paths by what else the process has built.
        self._weights = {f"model/{i}": v for i, v in enumerate(model.trainable_variables)}
        self._slots = {f"optimizer/{i}": v for i, v in enumerate(optimizer.variables)}
        # The best weights while they could not be written.
        self._unwritten_best: dict[str, np.ndarray] = {}
        self._cannot_write = False

    def note_best(self) -> None:
        """Take the weights for the best so far; the next `save` writes them."""
        # Copies, because training goes on where they must wait for the disk.
        weights = _values(self._weights)
        self._unwritten_best = {name: value.copy() for name, value in weights.items()}

    def is_finite(self) -> bool:
        """Whether all that the next `save` would write can be gone on from."""
        values = _values(self._weights | self._slots).values()
        return all(np.isfinite(value).all() for value in values)

    def save(self, state: State) -> None:
        """Write a checkpoint, and the best weights before it where they are new."""
        progress: dict[str, Any] = dataclasses.asdict(state)
        try:
            if self._unwritten_best:
                best = {"step": state.best_step, "loss": state.best_loss}
                self._checkpoints.save_best(self._unwritten_best, best)
                self._unwritten_best = {}
            self._checkpoints.save(state.step, _values(self._weights | self._slots), progress)
        except OSError as error:
            self.tell_unwritten(state.step, error)
        else:
            self._cannot_write = False

    def tell_unwritten(self, step: int, error: OSError) -> None:
        """Warn that something of `step` is not on disk, but not again until a checkpoint is."""
        if not self._cannot_write:
            logger.warning(
                "Step %d cannot be written to disk (%s). Training goes on; the checkpoint "
                "before is kept.",
                step,
                error,
            )
        self._cannot_write = True

    def restore(self) -> State:
        """Put the newest checkpoint into model and optimizer; return where the run stood.

        Raises:
            CheckpointError: there is none, or it is of a model of another shape.
        """
        arrays, progress = self._checkpoints.load_newest()
        named = self._weights | self._slots
        if {k: v.shape for k, v in arrays.items()} != {k: tuple(v.shape) for k, v in named.items()}:
            raise CheckpointError("The checkpoint was made by a model of another shape.")
        for name, variable in named.items():
            variable.assign(arrays[name])
        return State(**progress)

    def restore_best(self, state: State) -> tuple[int, float]:
        """Put the best weights into the model; return their step and validation loss.

        On disk they may be newer than those that `state` knows of: where the run went on from
        an older checkpoint, because a kill came right after they were written or the checkpoint
        written with them is damaged.

        Raises:
            CheckpointError: they are missing or damaged, or it is not known how good they are.
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
