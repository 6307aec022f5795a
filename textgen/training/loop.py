"""The training loop: the same for both models, one device or many.

Many steps run in one call into TensorFlow, because the host's share of a small
model's step would otherwise be as long as the step. What a step computes is a pure
function of (weights, optimizer slots, step number): batches and dropout masks are
drawn from the seed and the step. How many steps a call holds, and whether the run was
interrupted, leaves no trace in the result.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.dataset import TrainingWindows, ValidationWindows
from textgen.errors import CheckpointError, ConfigError, TrainingDivergedError
from textgen.models import LanguageModel, build_model
from textgen.training.checkpoints import Checkpoints
from textgen.training.distribution import is_chief
from textgen.training.history import History
from textgen.training.optimizers import build_optimizer
from textgen.training.reporter import Progress, Reporter, Validation

# Seconds a call into TensorFlow should take: long enough to hide the host's work,
# short enough for a progress bar and for Ctrl-C.
_SECONDS_A_CALL = 0.5
_SECONDS_BETWEEN_CHECKPOINTS = 60.0


@dataclasses.dataclass
class _State:
    """What a checkpoint keeps besides weights and slots."""

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    validations_since_best: int = 0
    loss_sum: float = 0.0  # of the steps since the last validation
    loss_count: int = 0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        model: with the best weights.
        step: steps done.
        best_step: the step of the best validation.
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
        self._tokens_per_character = tokens_per_character
        self._replicas = self.strategy.num_replicas_in_sync
        if config.batch_size % self._replicas:
            raise ConfigError(
                "batch_size must be a multiple of the number of replicas. "
                f"Received: batch_size={config.batch_size}, replicas={self._replicas}"
            )
        context_length = model_config.context_length
        self.windows = TrainingWindows(
            train_tokens, context_length, config.batch_size, seed=config.seed
        )
        # Validation keeps no gradients, so more windows fit at once; a multiple of the
        # training batch shares out as evenly as that does.
        rows = config.batch_size * max(1, 64 // config.batch_size)
        self.validation = ValidationWindows(validation_tokens, context_length, rows)
        with self.strategy.scope():
            dtype = "mixed_bfloat16" if config.mixed_precision else "float32"
            self.model = build_model(model_config, vocab_size, config.seed, dtype)
            self.optimizer = build_optimizer(
                config, model_config.architecture, self.model.trainable_variables
            )
        # Dropout layers draw from these; the step sets them, see `_gradients`.
        self._dropout_states = [
            v for v in self.model.non_trainable_variables if v.path.endswith("seed_generator_state")
        ]
        self._state = _State()
        self._compile(model_config)

    def fit(
        self,
        resume: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
        write_sample: Callable[[LanguageModel], str] | None = None,
    ) -> Outcome:
        """Train until `max_steps`, until patience runs out, or until told to stop.

        Args:
            resume: go on from the newest checkpoint.
            should_stop: asked between calls into TensorFlow.
            write_sample: shows what the model writes, after every validation.

        Raises:
            CheckpointError: there is nothing to resume from.
            TrainingDivergedError: the loss stopped being a number.
        """
        if resume:
            self._restore(*self.checkpoints.load_newest())
            if self._state.step >= self.config.max_steps:
                raise CheckpointError(
                    f"The run already ended at step {self._state.step}. "
                    "Give a larger --max-steps to go on, or leave out --resume to start anew."
                )
        if self.is_chief:
            self.history.rewind(self._state.step)
        state, config = self._state, self.config
        every = config.validate_every or max(1, config.max_steps // 10)
        ended_by = "max_steps"
        self.reporter.phase("compiling")
        clock = _Clock(config.batch_size * self.windows.context_length)
        saved_at = time.monotonic()
        steps = 1
        while state.step < config.max_steps:
            until_validation = every - state.step % every
            count = min(steps, until_validation, config.max_steps - state.step)
            self._run_steps(count, clock)
            validated = state.step % every == 0 or state.step == config.max_steps
            stop, steps = self._agreed(should_stop(), clock.steps_a_call())
            interrupted = stop and state.step < config.max_steps
            if interrupted and not validated:
                # Saved before the validation, which only this run's outcome knows of.
                self._save()
                self._validate(clock, write_sample, scheduled=False)
                ended_by = "interrupt"
                break
            if validated:
                self._validate(clock, write_sample)
                # Saved after the validation, so that the best so far is part of it.
                self._save()
                saved_at = time.monotonic()
                if interrupted:
                    ended_by = "interrupt"
                    break
                if config.patience and state.validations_since_best >= config.patience:
                    ended_by = "patience"
                    break
            elif time.monotonic() - saved_at > _SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
                saved_at = time.monotonic()
        self._restore_best()
        return Outcome(
            self.model, state.step, state.best_step, state.best_loss, ended_by, self.is_chief
        )

    # One step, inside the graph.

    def _compile(self, model_config: ModelConfig) -> None:
        """Make the graphs; they are traced at their first call."""
        jit = self.config.jit_compile
        if jit is None:
            # cuDNN's LSTM is no XLA op, and faster than what XLA makes of a loop.
            on_gpu = bool(tf.config.list_logical_devices("GPU"))
            jit = not (on_gpu and model_config.architecture == "lstm")
        shape = (self.config.batch_size, model_config.context_length + 1)
        self._gradients_graph = tf.function(self._gradients, jit_compile=jit)
        # With several replicas the optimizer talks to other devices, which neither XLA nor
        # a graph within the graph can.
        one_replica = self._replicas == 1
        self._update_graph = (
            tf.function(self._update, jit_compile=jit) if one_replica else self._update
        )
        self._loss_graph = tf.function(self._summed_loss, jit_compile=jit)
        self._steps_graph = tf.function(
            self._steps,
            input_signature=[
                tf.TensorSpec((None, *shape), tf.int32),
                tf.TensorSpec((), tf.int64),
            ],
        )
        rows = (self.validation.batch_size, model_config.context_length)
        self._validation_graph = tf.function(
            self._validation_loss,
            input_signature=[
                tf.TensorSpec((rows[0], rows[1] + 1), tf.int32),
                tf.TensorSpec(rows, tf.bool),
            ],
        )

    def _steps(self, batches: tf.Tensor, first_step: tf.Tensor) -> tf.Tensor:
        """Run a step for each of int32[N, B, T + 1] batches; return float32[N] losses."""
        count = tf.shape(batches)[0]
        losses = tf.TensorArray(tf.float32, count, element_shape=[])
        for index in tf.range(count):
            step = first_step + tf.cast(index, tf.int64)
            loss = self.strategy.run(self._replica_step, args=(batches[index], step))
            loss = self.strategy.reduce(tf.distribute.ReduceOp.SUM, loss, axis=None)
            losses = losses.write(index, loss)
        return losses.stack()

    def _replica_step(self, batch: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Learn from this replica's rows of the batch; return its share of the mean loss."""
        loss, gradients = self._gradients_graph(self._own_rows(batch), self._dropout_seeds(step))
        if self._replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        self._update_graph(gradients)
        return loss

    def _own_rows(self, batch: tf.Tensor) -> tf.Tensor:
        rows = batch.shape[0] // self._replicas
        return batch[self._replica_id() * rows :][:rows]

    def _replica_id(self) -> tf.Tensor:
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    def _dropout_seeds(self, step: tf.Tensor) -> tf.Tensor:
        """A seed for every dropout layer: int64[layers, 2], new each step and replica."""
        count = len(self._dropout_states)
        layers = tf.range(count, dtype=tf.int64) + self.config.seed * 1009
        draw = step * self._replicas + tf.cast(self._replica_id(), tf.int64)
        return tf.stack([layers, tf.fill([count], draw)], axis=1)

    def _gradients(self, tokens: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        # Keras dropout layers count their draws in a variable. A stateless scope gives
        # them this step's number instead and drops the count: a mask is then a function
        # of (seed, step, replica), and nothing about it needs a checkpoint.
        mapping = [
            (variable, tf.cast(seeds[index], variable.dtype))
            for index, variable in enumerate(self._dropout_states)
        ]
        variables = [v.value for v in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            with keras.StatelessScope(state_mapping=mapping):
                logits = self.model(tokens[:, :-1], training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits)
            loss = tf.reduce_sum(losses) / (losses.shape.num_elements() * self._replicas)
        gradients = tape.gradient(loss, variables)
        return loss, [tf.convert_to_tensor(g) for g in gradients]

    def _update(self, gradients: list[tf.Tensor]) -> None:
        gradients, _ = tf.clip_by_global_norm(gradients, self.config.clip_norm)
        # The optimizer sums over the replicas once more; they all hold the same by now.
        self.optimizer.apply([g / self._replicas for g in gradients])

    def _validation_loss(self, tokens: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        """Sum of the losses of all real targets, over all replicas."""

        def replica():
            return self._loss_graph(self._own_rows(tokens), self._own_rows(real))

        summed = self.strategy.run(replica)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, summed, axis=None)

    def _summed_loss(self, tokens: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        logits = self.model(tokens[:, :-1], training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits)
        return tf.reduce_sum(tf.where(real, losses, 0.0))

    # Between calls, on the host.

    def _run_steps(self, count: int, clock: _Clock) -> None:
        state = self._state
        batches = self.windows.batches(state.step, count)
        started = time.monotonic()
        losses = self._steps_graph(batches, state.step).numpy()
        if clock.add(count, time.monotonic() - started):
            self.reporter.phase("training")
        finite = np.isfinite(losses)
        if not finite.all():
            step = state.step + int(np.argmin(finite)) + 1
            rate = float(self.optimizer.learning_rate)
            raise TrainingDivergedError(
                f"The loss stopped being a number at step {step}. Try a lower --learning-rate "
                f"(now {rate:.2g}) or --optimizer adamw. The checkpoint before is kept."
            )
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

    def _validate(self, clock: _Clock, write_sample, *, scheduled: bool = True) -> None:
        """Validate; where it is not on the schedule, leave nothing of it on disk."""
        state = self._state
        self.reporter.phase("validating")
        total = sum(float(self._validation_graph(*batch)) for batch in self.validation)
        loss = total / self.validation.num_targets
        best = loss < state.best_loss
        validation = Validation(
            step=state.step,
            loss=state.loss_sum / max(state.loss_count, 1),
            validation_loss=loss,
            bits_per_character=loss / math.log(2) * self._tokens_per_character,
            learning_rate=float(self.optimizer.learning_rate),
            tokens_per_second=clock.tokens_per_second,
            best=best,
        )
        state.loss_sum, state.loss_count = 0.0, 0
        state.validations_since_best = 0 if best else state.validations_since_best + 1
        if best:
            state.best_loss, state.best_step = loss, state.step
        if self.is_chief and scheduled:
            if best:
                self.checkpoints.save_best(_values(self._named_weights()), {"step": state.step})
            self.history.record(validation)
        self.reporter.validation(validation)
        if write_sample and self.is_chief:
            self.reporter.sample(write_sample(self.model))
        self.reporter.phase("training")

    def _agreed(self, stop: bool, steps: int) -> tuple[bool, int]:
        """Whether any worker was told to stop, and the mean of the steps each would do next.

        All workers must do the same steps in a call and leave the loop at the same one, or
        they would wait for each other without end.
        """
        if self.strategy.cluster_resolver is None:
            return stop, steps
        wishes = self.strategy.run(lambda: tf.constant([float(stop), steps], tf.float32))
        total = self.strategy.reduce(tf.distribute.ReduceOp.SUM, wishes, axis=None).numpy()
        return bool(total[0] > 0), max(1, int(total[1] / self._replicas))

    def _save(self) -> None:
        if self.is_chief:
            variables = self._named_weights() | self._named_slots()
            progress: dict[str, Any] = dataclasses.asdict(self._state)
            self.checkpoints.save(self._state.step, _values(variables), progress)

    # Named by place, because Keras numbers its paths by what else the process has built.

    def _named_weights(self) -> dict[str, keras.Variable]:
        return {f"model/{i}": v for i, v in enumerate(self.model.trainable_variables)}

    def _named_slots(self) -> dict[str, keras.Variable]:
        return {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}

    def _restore(self, arrays: dict[str, np.ndarray], progress: dict[str, Any]) -> None:
        named = self._named_weights() | self._named_slots()
        if {k: v.shape for k, v in arrays.items()} != {k: tuple(v.shape) for k, v in named.items()}:
            raise CheckpointError("The checkpoint was made by a model of another shape.")
        for name, variable in named.items():
            variable.assign(arrays[name])
        self._state = _State(**progress)

    def _restore_best(self) -> None:
        """Put the best weights into the model; only the chief's is exported."""
        if self.is_chief and self._state.best_step != self._state.step:
            arrays, _ = self.checkpoints.load_best()
            for name, variable in self._named_weights().items():
                variable.assign(arrays[name])


def _values(variables: dict[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: np.asarray(variable) for name, variable in variables.items()}


class _Clock:
    """Measures steps; leaves out the first call, which compiles.

    Args:
        tokens_a_step: over all replicas.
    """

    def __init__(self, tokens_a_step: int) -> None:
        self._tokens_a_step = tokens_a_step
        self._compiled = False
        self.seconds_a_step = math.inf

    def add(self, steps: int, seconds: float) -> bool:
        """Take note of a call; return whether it was the first."""
        if not self._compiled:
            self._compiled = True
            return True
        measured = seconds / steps
        # A running mean, so that the bar's figures do not jump.
        known = math.isfinite(self.seconds_a_step)
        self.seconds_a_step = 0.7 * self.seconds_a_step + 0.3 * measured if known else measured
        return False

    def steps_a_call(self) -> int:
        """How many steps the next call should hold."""
        if not math.isfinite(self.seconds_a_step):
            return 1
        return max(1, round(_SECONDS_A_CALL / self.seconds_a_step))

    @property
    def tokens_per_second(self) -> float:
        """Tokens learned from in a second."""
        return self._tokens_a_step / self.seconds_a_step
