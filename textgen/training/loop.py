"""The training loop: the same for every model, on one device or many.

One call into TensorFlow runs many steps, because the host's part of a small model's step would
otherwise take as long as the step itself. A step is a pure function of weights, optimizer slots
and step number: batches and dropout masks are drawn from the seed and the step. So neither the
number of steps per call nor an interruption changes the result, to the last bit on a CPU. A GPU
sums the gradients of lookups in any order, so no two runs are alike there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.errors import CheckpointError, TrainingDivergedError
from textgen.metrics import bits
from textgen.models.base import LanguageModel
from textgen.reporter import Progress, Reporter, Validation
from textgen.training.checkpoint_manager import CheckpointManager, State
from textgen.training.checkpoints import Checkpoints
from textgen.training.clock import Clock
from textgen.training.distribution import is_chief
from textgen.training.history import History
from textgen.training.pace import EXPORT_SECONDS, Pace
from textgen.training.result import TrainingResult
from textgen.training.step import Step
from textgen.training.workers import Workers
from textgen.windows import Windows

_SECONDS_BETWEEN_CHECKPOINTS = 60.0


class Trainer:
    """Trains one model.

    Args:
        model_config: The shape of the model.
        config: How to train it.
        vocab_size: Number of tokens.
        windows: The tokens to train on and to validate with. Without a validation part, the loss
            on the training part is reported instead, and the last weights are kept, not the best.
        checkpoints: Where to keep checkpoints.
        history: Where to record validations.
        strategy: From `textgen.training.distribution.build_strategy`.
        to_bits: From a loss in nats per token to bits per character.
        reporter: Receives what happens.
        has_parent: Whether the run begins from a trained model.
        parent_weights: The decoder's weights of that model; see `Step`.

    Raises:
        ConfigError: If the batch cannot be divided evenly.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        config: TrainingConfig,
        vocab_size: int,
        windows: Windows,
        checkpoints: Checkpoints,
        history: History,
        strategy: tf.distribute.Strategy,
        to_bits: Callable[[float], float] = bits,
        reporter: Reporter | None = None,
        has_parent: bool = False,
        parent_weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.config = config
        self.reporter = reporter or Reporter()
        self.checkpoints = checkpoints
        self.history = history
        self.strategy = strategy
        self.is_chief = is_chief(self.strategy)
        self._workers = Workers(strategy)
        self._to_bits = to_bits
        self._has_parent = has_parent
        self.windows, self.validation = windows.training, windows.validation
        # The loss on the training part does not tell which weights are better.
        self._keeps_last = not windows.is_validated
        self._step = Step(model_config, config, vocab_size, strategy, has_parent, parent_weights)
        self.model, self.optimizer = self._step.model, self._step.optimizer
        self._state = State()
        # Without gradients, a target takes about a third of the time.
        tokens_per_step = config.batch_size * self.windows.context_length
        self._validation_steps = 0.35 * self.validation.num_targets / tokens_per_step
        self._checkpoint_manager = CheckpointManager(checkpoints, self.model, self.optimizer)

    def fit(
        self,
        resume: bool = False,
        should_stop: Callable[[], str | None] = lambda: None,
        write_sample: Callable[[LanguageModel], str] | None = None,
        exported_step: int | None = None,
        deadline: float = math.inf,
        closing_seconds: float = EXPORT_SECONDS,
        extend: bool = False,
    ) -> TrainingResult:
        """Train until steps or time are used up, patience runs out, or `should_stop` asks to stop.

        Args:
            resume: Whether to continue from the newest checkpoint, if there is one. A run that
                had ended, but was killed before its model was exported, takes no more steps.
            should_stop: Called between calls into TensorFlow; returns the reason to stop, or
                `None`.
            write_sample: Returns a text that the model generates; called after every validation,
                unless there is too little time for it.
            exported_step: The step from which the run's model was last exported.
            deadline: When the model must be exported, on the clock of `time.monotonic`; see
                `textgen.training.pace`. A resumed run continues with the time that it had left.
            closing_seconds: Estimated seconds of the export.
            extend: Whether a resumed run was given more time or more steps.

        Raises:
            CheckpointError: If no checkpoint can be read, or the run has ended and its model is
                exported.
            TrainingDivergedError: If loss or weights stop being finite. They are not saved.
        """
        if resume:
            self._state = self._checkpoint_manager.restore()
            if not self._workers.have_same(str(self._state.step)):
                raise CheckpointError(
                    "All workers must continue from the same checkpoint, so they must share the "
                    f"models folder. Received: step {self._state.step} here, another step "
                    "elsewhere"
                )
        state, config = self._state, self.config
        clock = Clock(config.batch_size * self.windows.context_length)
        pace = self._pace = Pace(
            config, state, clock, self._validation_steps, deadline, closing_seconds
        )
        if extend and (math.isfinite(deadline) or state.schedule is not None):
            pace.extend()
        is_exported = state.step == exported_step
        if is_exported and (pace.reason_to_end or pace.is_time_up):
            raise CheckpointError(
                f"The run already ended at step {state.step} and its model is exported. Continue "
                "it with a larger max_steps or another time_budget, or begin a new run."
            )
        if self.is_chief:
            self.history.rewind(state.step)
        self.reporter.phase("compiling")
        if self._has_parent and state.initial_loss is None:
            self._validate(clock, write_sample)
            state.initial_loss = state.best_loss
            self._save()
        if pace.reason_to_end and state.loss_count:
            # Resumed with a smaller max_steps: the run ends where it is.
            self._validate(clock, write_sample)
            self._save()
        # To resume a run whose model is exported is to want more steps than patience allowed.
        ended_by = None if is_exported else self._ended_by()
        saved_at = time.monotonic()
        steps = 1
        while ended_by is None:
            self._run_steps(pace.num_steps(steps), clock)
            late = "time_budget" if pace.is_late else None
            reason, steps = self._agree(should_stop() or late, clock.steps_per_call())
            if pace.is_validation_due():
                self._validate(clock, write_sample)
                pace.decide()
                # Saved after the validation, so that the checkpoint knows the best so far.
                self._save()
                saved_at = time.monotonic()
                ended_by = self._ended_by() or reason
            elif reason:
                # Saved before the validation, which only this run's result knows of.
                self._save()
                self._validate(clock, write_sample, scheduled=False)
                ended_by = reason
            elif pace.decide() or time.monotonic() - saved_at > _SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved_at = time.monotonic()
        # Only the chief exports its model.
        best = state.best_step, state.best_loss
        if self.is_chief and state.best_step != state.step:
            best = self._checkpoint_manager.restore_best(state)
        return TrainingResult(
            self.model,
            state.step,
            *best,
            ended_by,
            self.is_chief,
            not self._keeps_last,
            state.initial_loss,
            self._step.trained_fraction,
        )

    def _ended_by(self) -> str | None:
        """Return why the run ends at this step, if it does: only right after a validation."""
        state, config = self._state, self.config
        if state.loss_count:
            return None
        if config.patience and state.validations_since_best >= config.patience:
            return "patience"
        return self._pace.reason_to_end

    def _run_steps(self, count: int, clock: Clock) -> None:
        state = self._state
        batches = self.windows.batches(state.step, count)
        started = time.monotonic()
        fractions = self._pace.schedule.fractions(state.step, count)
        losses, accuracies = self._step.run(batches, state.step, fractions).T
        if clock.add(count, time.monotonic() - started):
            self._pace.begin()
            self.reporter.phase("training")
        finite = np.isfinite(losses)
        if not finite.all():
            raise self._diverged("loss", state.step + int(np.argmin(finite)) + 1)
        state.step += count
        state.loss_sum += float(losses.sum(dtype=np.float64))
        state.loss_count += count
        state.accuracy_sum += float(accuracies.sum(dtype=np.float64))
        self.reporter.progress(
            Progress(
                state.step,
                self._pace.expected_end,
                float(losses.mean()),
                clock.tokens_per_second,
                self._pace.seconds_left,
                float(accuracies.mean()),
            )
        )

    def _diverged(self, what: str, step: int) -> TrainingDivergedError:
        return TrainingDivergedError(
            f"The {what} stopped being finite at step {step}. Try a lower learning_rate "
            f"(now {self._learning_rate:.2g}) or the optimizer adamw. Earlier checkpoints are kept."
        )

    def _validate(self, clock: Clock, write_sample, *, scheduled: bool = True) -> None:
        """Validate the model. A validation that is not scheduled leaves no trace on disk."""
        state = self._state
        started = time.monotonic()
        self.reporter.phase("validating")
        sums = np.zeros(2)
        for batch in self.validation:
            sums += self._step.validate(*batch)
        loss, accuracy = (sums / self.validation.num_targets).tolist()
        if not math.isfinite(loss):
            raise self._diverged("validation loss", state.step)
        best = self._keeps_last or loss < state.best_loss
        validation = Validation(
            step=state.step,
            loss=state.loss_sum / state.loss_count if state.loss_count else loss,
            validation_loss=loss,
            bits_per_character=self._to_bits(loss),
            learning_rate=self._learning_rate,
            tokens_per_second=clock.lap(),
            best=best,
            accuracy=state.accuracy_sum / state.loss_count if state.loss_count else accuracy,
            validation_accuracy=accuracy,
            is_held_out=not self._keeps_last,
        )
        state.loss_sum, state.loss_count, state.accuracy_sum = 0.0, 0, 0.0
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        if best:
            state.best_loss, state.best_step = loss, state.step
        if self.is_chief and scheduled:
            if best:
                self._checkpoint_manager.keep_best()
            try:
                self.history.record(validation)
            except OSError as error:
                self._checkpoint_manager.warn_unwritten(state.step, error)
        self.reporter.validation(validation)
        validated = time.monotonic()
        sample_seconds = None
        if write_sample and scheduled and self.is_chief and self._pace.affords_sample:
            self.reporter.sample(text := write_sample(self.model))
            self.history.record_sample(state.step, text)
            sample_seconds = time.monotonic() - validated
        self._pace.validated(validated - started, sample_seconds)
        self.reporter.phase("training")

    @property
    def _learning_rate(self) -> float:
        return self._step.peak_rate * self._pace.schedule.fraction(self._state.step)

    def _agree(self, reason: str | None, steps: int) -> tuple[str | None, int]:
        """Return why to stop, if any worker must, and the mean number of steps for the next call.

        All workers must take the same steps per call and leave the loop at the same step, or
        they would wait for each other forever.
        """
        stops, mean = self._workers.mean(reason is not None, steps)
        return (reason or "interrupt") if stops > 0 else None, max(1, int(mean))

    def _save(self) -> None:
        """Write a checkpoint, if this is the chief."""
        # A step's loss is computed before its update, so it misses weights that just diverged.
        if not self._checkpoint_manager.is_finite():
            raise self._diverged("weights", self._state.step)
        if self.is_chief:
            self._pace.record_time()
            self._checkpoint_manager.save(self._state)
