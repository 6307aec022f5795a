"""The training loop: the same for both models, one device or many.

Many steps run in one call into TensorFlow, because the host's share of a small
model's step would otherwise be as long as the step. What a step computes is a pure
function of (weights, optimizer slots, step number): batches and dropout masks are
drawn from the seed and the step. How many steps a call holds, and whether the run was
interrupted, leaves no trace in the result. That is so to the last bit on a CPU; a GPU
sums the gradients of lookups in any order, so no two runs there are alike.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.dataset import TrainingWindows, ValidationWindows
from textgen.errors import CheckpointError, TrainingDivergedError
from textgen.models.base import LanguageModel
from textgen.training.checkpoints import Checkpoints
from textgen.training.clock import Clock
from textgen.training.distribution import is_chief
from textgen.training.history import History
from textgen.training.keeper import Keeper, State
from textgen.training.reporter import Progress, Reporter, Validation
from textgen.training.step import Step
from textgen.training.workers import Workers

_SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        model: with the best weights.
        step: steps done.
        best_step: the step of these weights; above `step` where a run that was killed left them,
            but no checkpoint as new.
        validation_loss: of the best weights, nats a token.
        ended_by: `max_steps`, `patience`, `interrupt` or, where the run was planned,
            `time_budget`.
        is_chief: whether this process is the one that writes files.
    """

    model: LanguageModel
    step: int
    best_step: int
    validation_loss: float
    ended_by: str
    is_chief: bool


class Trainer:
    """Trains one model.

    Args:
        model_config: the shape of the model.
        config: how to train it.
        vocab_size: number of tokens.
        train_tokens: int[num_tokens].
        validation_tokens: int[num_tokens].
        checkpoints: where to keep them.
        history: where to record validations.
        strategy: from `textgen.training.distribution.build_strategy`.
        tokens_per_character: of the validation text, for bits per character.
        reporter: is told what happens.

    Raises:
        ConfigError: the batch cannot be shared out evenly.
        CorpusError: the corpus is too short.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        config: TrainingConfig,
        vocab_size: int,
        train_tokens: np.ndarray,
        validation_tokens: np.ndarray,
        checkpoints: Checkpoints,
        history: History,
        strategy: tf.distribute.Strategy,
        tokens_per_character: float = 1.0,
        reporter: Reporter | None = None,
    ) -> None:
        self.config = config
        self.reporter = reporter or Reporter()
        self.checkpoints = checkpoints
        self.history = history
        self.strategy = strategy
        self.is_chief = is_chief(self.strategy)
        self._workers = Workers(strategy)
        self._tokens_per_character = tokens_per_character
        context_length = model_config.context_length
        self.windows = TrainingWindows(
            train_tokens, context_length, config.batch_size, seed=config.seed
        )
        # Validation keeps no gradients, so more windows fit at once; a multiple of the
        # micro-batch shares out as evenly as that does.
        micro_batch = config.batch_size // config.accumulate
        rows = micro_batch * max(1, 64 // micro_batch)
        self.validation = ValidationWindows(validation_tokens, context_length, rows)
        self._step = Step(model_config, config, vocab_size, strategy)
        self.model, self.optimizer = self._step.model, self._step.optimizer
        self._state = State()
        self._keeper = Keeper(checkpoints, self.model, self.optimizer)

    def fit(
        self,
        resume: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
        write_sample: Callable[[LanguageModel], str] | None = None,
        exported_step: int | None = None,
    ) -> Outcome:
        """Train until `max_steps`, until patience runs out, or until told to stop.

        Args:
            resume: go on from the newest checkpoint. A run that had ended, but was killed
                before its model was exported, takes no step more.
            should_stop: asked between calls into TensorFlow.
            write_sample: shows what the model writes, after every validation.
            exported_step: the step from which the run's model was exported last.

        Raises:
            CheckpointError: there is nothing to resume from, or the run has ended and its
                model is exported.
            TrainingDivergedError: loss or weights stopped being finite; no checkpoint has them.
        """
        if resume:
            self._state = self._keeper.restore()
            if not self._workers.have_same(str(self._state.step)):
                raise CheckpointError(
                    "All workers must go on from the same checkpoint, so they must share the "
                    f"models folder. Received: one of step {self._state.step} here, others there."
                )
        state, config = self._state, self.config
        is_exported = state.step == exported_step
        if is_exported and state.step >= config.max_steps:
            raise CheckpointError(
                f"The run already ended at step {state.step} and its model is exported. "
                "Give a larger --max-steps to go on, or leave out --resume to start anew."
            )
        if self.is_chief:
            self.history.rewind(state.step)
        every = config.validate_every or max(1, config.max_steps // 10)
        self.reporter.phase("compiling")
        clock = Clock(config.batch_size * self.windows.context_length)
        if state.step >= config.max_steps and state.loss_count:
            # Resumed with a smaller max_steps: the run ends where it stands.
            self._validate(clock, write_sample)
            self._save()
        # Whoever resumes a run whose model is there wants more than patience gave it.
        ended_by = None if is_exported else self._ended_by()
        saved_at = time.monotonic()
        steps = 1
        while ended_by is None:
            until_validation = every - state.step % every
            count = min(steps, until_validation, config.max_steps - state.step)
            self._run_steps(count, clock)
            validated = state.step % every == 0 or state.step == config.max_steps
            stop, steps = self._agreed(should_stop(), clock.steps_a_call())
            if validated:
                self._validate(clock, write_sample)
                # Saved after the validation, so that the best so far is part of it.
                self._save()
                saved_at = time.monotonic()
                ended_by = self._ended_by() or ("interrupt" if stop else None)
            elif stop:
                # Saved before the validation, which only this run's outcome knows of.
                self._save()
                self._validate(clock, write_sample, scheduled=False)
                ended_by = "interrupt"
            elif time.monotonic() - saved_at > _SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved_at = time.monotonic()
        # Only the chief's model is exported.
        best = state.best_step, state.best_loss
        if self.is_chief and state.best_step != state.step:
            best = self._keeper.restore_best(state)
        return Outcome(self.model, state.step, *best, ended_by, self.is_chief)

    def _ended_by(self) -> str | None:
        """Why the run ends where it stands, which it only does right after a validation."""
        state, config = self._state, self.config
        if state.loss_count:
            return None
        if config.patience and state.validations_since_best >= config.patience:
            return "patience"
        return "max_steps" if state.step >= config.max_steps else None

    def _run_steps(self, count: int, clock: Clock) -> None:
        state = self._state
        batches = self.windows.batches(state.step, count)
        started = time.monotonic()
        losses = self._step.run(batches, state.step)
        if clock.add(count, time.monotonic() - started):
            self.reporter.phase("training")
        finite = np.isfinite(losses)
        if not finite.all():
            raise self._diverged("loss", state.step + int(np.argmin(finite)) + 1)
        state.step += count
        state.loss_sum += float(losses.sum(dtype=np.float64))
        state.loss_count += count
        seconds_left = (self.config.max_steps - state.step) * clock.seconds_a_step
        self.reporter.progress(
            Progress(
                state.step,
                self.config.max_steps,
                float(losses.mean()),
                clock.tokens_per_second,
                seconds_left,
            )
        )

    def _diverged(self, what: str, step: int) -> TrainingDivergedError:
        rate = float(self.optimizer.learning_rate)
        return TrainingDivergedError(
            f"The {what} stopped being finite at step {step}. Try a lower --learning-rate "
            f"(now {rate:.2g}) or --optimizer adamw. What was saved before is kept."
        )

    def _validate(self, clock: Clock, write_sample, *, scheduled: bool = True) -> None:
        """Validate; where it is not on the schedule, leave nothing of it on disk."""
        state = self._state
        self.reporter.phase("validating")
        total = sum(self._step.summed_loss(*batch) for batch in self.validation)
        loss = total / self.validation.num_targets
        if not math.isfinite(loss):
            raise self._diverged("validation loss", state.step)
        best = loss < state.best_loss
        validation = Validation(
            step=state.step,
            loss=state.loss_sum / max(state.loss_count, 1),
            validation_loss=loss,
            bits_per_character=loss / math.log(2) * self._tokens_per_character,
            learning_rate=float(self.optimizer.learning_rate),
            tokens_per_second=clock.lap(),
            best=best,
        )
        state.loss_sum, state.loss_count = 0.0, 0
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        if best:
            state.best_loss, state.best_step = loss, state.step
        if self.is_chief and scheduled:
            if best:
                self._keeper.note_best()
            try:
                self.history.record(validation)
            except OSError as error:
                self._keeper.tell_unwritten(state.step, error)
        self.reporter.validation(validation)
        if write_sample and self.is_chief:
            self.reporter.sample(write_sample(self.model))
        self.reporter.phase("training")

    def _agreed(self, stop: bool, steps: int) -> tuple[bool, int]:
        """Whether any worker was told to stop, and the mean of the steps each would do next.

        All workers must do the same steps in a call and leave the loop at the same one, or
        they would wait for each other without end.
        """
        stops, mean = self._workers.mean(stop, steps)
        return stops > 0, max(1, int(mean))

    def _save(self) -> None:
        """Write a checkpoint; only the chief has files."""
        # The loss of a step is from before its update, so it is late to tell.
        if not self._keeper.is_finite():
            raise self._diverged("weights", self._state.step)
        if self.is_chief:
            self._keeper.save(self._state)
