"""One optimizer step as a graph, for one device or many, for whole batches or parts of them.

Every replica computes the gradients of its rows of the batch in one or several micro-batches
and sums them with those of the other replicas. All clip the sum by its global norm and make the
same update. Clipping the sum, not the parts, makes the result independent of the number of
replicas and micro-batches.

Letters in shapes: N steps, B batch, T time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.errors import ConfigError, ModelDamagedError
from textgen.models import ModelConfig, build_model
from textgen.models.base import LanguageModel
from textgen.tensorflow_internals import without_memory_optimizer, without_stack_traces
from textgen.training.dtype import choose_dtype
from textgen.training.optimizers import build_optimizer, peak_rate
from textgen.training.soft_targets import add_teaching, num_predictions


class Step:
    """The computation on the devices: optimizer steps, and losses for validation.

    Args:
        model_config: The shape of the model.
        config: How to train it.
        vocab_size: Number of tokens.
        strategy: The result of `textgen.training.distribution.build_strategy`.
        has_parent: Whether the weights to begin with are those of a trained model.
        parent_weights: The decoder's weights of that model. If `None`, the weights are random,
            and a checkpoint replaces them.

    Attributes:
        model: The model that is trained.
        optimizer: Its optimizer, with its slots created.
        peak_rate: The learning rate at its highest.
        trained_fraction: Fraction of the model's weights that are trained, adapters included.

    Raises:
        ConfigError: If the batch cannot be split evenly over replicas and micro-batches.
        ModelDamagedError: If the parent's weights are those of another model.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        config: TrainingConfig,
        vocab_size: int,
        strategy: tf.distribute.Strategy,
        has_parent: bool = False,
        parent_weights: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._config = config
        self._vocab_size = vocab_size
        self._strategy = strategy
        # A strategy with a single replica runs functions in its own way, too.
        self._is_distributed = strategy is not tf.distribute.get_strategy()
        self._replicas = strategy.num_replicas_in_sync
        if config.batch_size % (self._replicas * config.accumulate):
            raise ConfigError(
                "batch_size must be a multiple of the number of replicas times accumulate. "
                f"Received: batch_size={config.batch_size}, replicas={self._replicas}, "
                f"accumulate={config.accumulate}"
            )
        with strategy.scope():
            dtype = choose_dtype(config, model_config)
            seed = config.seed if parent_weights is None else None
            self.model = build_model(model_config, vocab_size, seed, dtype)
            if parent_weights is not None:
                _load(self.model, parent_weights)
            if config.adapter_rank:
                self.model.add_adapters(config.adapter_rank, config.seed, config.freeze_layers)
            elif config.freeze_layers:
                self.model.freeze(config.freeze_layers)
            self.optimizer = build_optimizer(config, model_config, self.model.trainable_variables)
        self.peak_rate = peak_rate(config, model_config, is_trained=has_parent)
        trained, others = self.model.trainable_weights, self.model.non_trainable_weights
        sizes = [sum(math.prod(v.shape) for v in part) for part in (trained, others)]
        self.trained_fraction = sizes[0] / sum(sizes)
        # The states of the dropout layers' generators, which `_micro_gradients` sets.
        self._dropout_states = [
            v for v in self.model.non_trainable_variables if v.path.endswith("seed_generator_state")
        ]
        self._compile(model_config)

    def run(self, batches: np.ndarray, first_step: int, fractions: np.ndarray) -> np.ndarray:
        """Take one step per batch.

        Args:
            batches: int32[N, B, T + 1], with a teacher int32[N, B, T + 1, 1 + K] of taught
                tokens; the same in every worker. A token that is not to be learned is its
                complement, `~token`.
            first_step: The number of steps done before.
            fractions: float32[N], the learning rate of each step as a fraction of its peak.

        Returns:
            float32[N, 2], for each batch the mean loss in nats per token, and the accuracy: the
            fraction of tokens that were the most likely one.
        """
        rates = np.float32(self.peak_rate) * fractions
        with without_memory_optimizer():
            return self._steps_graph(batches, first_step, rates).numpy()

    def validate(self, tokens: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Return sums over all real targets and replicas: the losses in nats, and the hits.

        A hit is a token that was the most likely one.

        Args:
            tokens: int32[B, T + 1]; B must always be the same multiple of the replicas.
            real: bool[B, T], the targets that count.

        Returns:
            float32[2].
        """
        return self._validation_graph(tokens, real).numpy()

    def _compile(self, model_config: ModelConfig) -> None:
        """Create the graphs; each is traced at its first call."""
        jit = self._config.jit_compile
        if jit is None:
            on_gpu = bool(tf.config.list_logical_devices("GPU"))
            jit = not on_gpu or model_config.profile.is_xla_faster_on_gpu

        def function(method, **options):
            # AutoGraph is off: it would take a second and change nothing.
            return tf.function(without_stack_traces(method), autograph=False, **options)

        self._gradients_graph = function(self._gradients, jit_compile=jit)
        # Under a strategy the optimizer communicates with other devices, which neither XLA nor a
        # nested graph can do.
        self._update_graph = (
            self._update if self._is_distributed else function(self._update, jit_compile=jit)
        )
        self._loss_graph = function(self._replica_loss, jit_compile=jit)
        length = self._config.window(model_config.context_length)
        taught = [] if self._config.teacher is None else [1 + num_predictions(self._vocab_size)]
        self._steps_graph = function(
            self._steps,
            input_signature=[
                tf.TensorSpec((None, self._config.batch_size, length + 1, *taught), tf.int32),
                tf.TensorSpec((), tf.int64),
                tf.TensorSpec((None,), tf.float32),
            ],
        )
        self._validation_graph = function(self._validation_loss)

    def _steps(self, batches: tf.Tensor, first_step: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        steps = first_step + tf.range(tf.shape(batches, tf.int64)[0])

        def take(step):
            measures = self._strategy.run(self._replica_step, args=step)
            return self._strategy.reduce(tf.distribute.ReduceOp.SUM, measures, axis=None)

        return tf.map_fn(take, (batches, steps, rates), fn_output_signature=tf.float32)

    def _replica_step(self, batch: tf.Tensor, step: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Learn from this replica's rows of the batch; return their part of the measures."""
        # The mean is over the tokens of all replicas and micro-batches.
        num_learned = tf.reduce_sum(_is_learned(batch))
        measures, gradients = self._gradients_graph(
            self._own_rows(batch), num_learned, self._dropout_seeds(step)
        )
        if self._replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        self._update_graph(gradients, rate)
        return measures

    def _own_rows(self, batch: tf.Tensor) -> tf.Tensor:
        rows = batch.shape[0] // self._replicas
        return batch[self._replica_id() * rows :][:rows]

    def _replica_id(self) -> tf.Tensor:
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    def _dropout_seeds(self, step: tf.Tensor) -> tf.Tensor:
        """Return a seed for every dropout layer: int64[accumulate, layers, 2].

        It depends on step, replica and micro-batch.
        """
        parts, count = self._config.accumulate, len(self._dropout_states)
        layers = tf.range(count, dtype=tf.int64) + self._config.seed * 1009
        first = (step * self._replicas + tf.cast(self._replica_id(), tf.int64)) * parts
        draws = first + tf.range(parts, dtype=tf.int64)
        return tf.stack(tf.meshgrid(layers, draws), axis=-1)

    def _gradients(
        self, rows: tf.Tensor, num_learned: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Return this replica's part of the measures of the batch and of its gradients."""
        parts = self._config.accumulate
        if parts == 1:
            return self._micro_gradients(rows, num_learned, seeds[0])
        micro_batches = tf.reshape(rows, (parts, -1, *rows.shape[1:]))
        nothing = tf.zeros(2), [tf.zeros(v.shape) for v in self.model.trainable_variables]

        def add(total, micro_batch_and_seeds):
            micro_batch, own_seeds = micro_batch_and_seeds
            part = self._micro_gradients(micro_batch, num_learned, own_seeds)
            return tf.nest.map_structure(tf.add, total, part)

        # A loop in the graph, not in Python, keeps the activations of one micro-batch at a time.
        return tf.foldl(add, (micro_batches, seeds), nothing, parallel_iterations=1)

    def _micro_gradients(
        self, rows: tf.Tensor, num_learned: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        # Keras dropout layers count their draws in a variable. A stateless scope replaces the
        # count with a seed: a mask is then a function of (seed, step, replica, micro-batch), and
        # needs no checkpoint.
        mapping = [
            (variable, tf.cast(seeds[index], variable.dtype))
            for index, variable in enumerate(self._dropout_states)
        ]
        variables = [v.value for v in self.model.trainable_variables]
        weights = _is_learned(rows) / num_learned
        rows, taught = _tokens(rows), rows
        rows = tf.maximum(rows, ~rows)
        with tf.GradientTape() as tape:
            with keras.StatelessScope(state_mapping=mapping):
                logits = self.model(rows[:, :-1], training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(rows[:, 1:], logits)
            loss = taught_loss = tf.reduce_sum(losses * weights)
            if taught.shape.rank > 2:
                losses = add_teaching(losses, rows[:, 1:], logits, taught[:, 1:, 1:])
                taught_loss = tf.reduce_sum(losses * weights)
        gradients = tape.gradient(taught_loss, variables)
        accuracy = tf.reduce_sum(_hits(rows[:, 1:], logits) * weights)
        return tf.stack([loss, accuracy]), [tf.convert_to_tensor(g) for g in gradients]

    def _update(self, gradients: list[tf.Tensor], rate: tf.Tensor) -> None:
        gradients, _ = tf.clip_by_global_norm(gradients, self._config.clip_norm)
        self.optimizer.apply_at(rate, gradients)

    def _validation_loss(self, tokens: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        def replica():
            return self._loss_graph(self._own_rows(tokens), self._own_rows(real))

        summed = self._strategy.run(replica)
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, summed, axis=None)

    def _replica_loss(self, tokens: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        logits = self.model(tokens[:, :-1], training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits)
        hits = _hits(tokens[:, 1:], logits)
        return tf.stack([tf.reduce_sum(tf.where(real, x, 0.0)) for x in (losses, hits)])


def _load(model: LanguageModel, weights: Mapping[str, np.ndarray]) -> None:
    try:
        model.load_decoder_weights(weights)
    except ValueError as error:
        raise ModelDamagedError(
            f"The model to begin from is damaged, or comes from another version of textgen: {error}"
        ) from error


def _is_learned(batch: tf.Tensor) -> tf.Tensor:
    """Return 1.0 for every target that is to be learned, else 0.0: float32[B, T]."""
    return tf.cast(_tokens(batch)[:, 1:] >= 0, tf.float32)


def _tokens(batch: tf.Tensor) -> tf.Tensor:
    """Return the tokens of a batch that may be taught, int32[B, T + 1]."""
    return batch[..., 0] if batch.shape.rank > 2 else batch


def _hits(targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return 1.0 for every target that is the most likely token, else 0.0: float32[B, T]."""
    return tf.cast(targets == tf.argmax(logits, -1, targets.dtype), tf.float32)
