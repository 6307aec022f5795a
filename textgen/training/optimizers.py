"""Optimizers and the learning-rate schedule."""

from __future__ import annotations

import collections

import keras
import tensorflow as tf

from textgen.config import Architecture, TrainingConfig

# Peak learning rates where none is given: the best of a few, see docs/recipe.md.
# Muon's is that of its orthogonalized matrices; its AdamW part runs at a fraction.
_LEARNING_RATES = {
    ("muon", "transformer"): 2e-2,
    ("muon", "lstm"): 2e-2,
    ("adamw", "transformer"): 1e-3,
    ("adamw", "lstm"): 8e-3,
}
# AdamW's rate for the LSTM is good up to this width; twice as wide it diverges, and a quarter of
# it does best.
_WIDEST_LSTM = 384
_MUON_ADAM_RATIO = 0.2
_FINAL_FRACTION = 0.1


def choose_optimizer(config: TrainingConfig, architecture: Architecture) -> str:
    """Return `muon` or `adamw`: what was asked for, or what suits the architecture."""
    if config.optimizer != "auto":
        return config.optimizer
    return "adamw" if architecture == "lstm" else "muon"


def build_schedule(
    config: TrainingConfig, architecture: Architecture, lstm_width: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return linear warmup, then a cosine down to a tenth of the peak.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    optimizer = choose_optimizer(config, architecture)
    usual = _LEARNING_RATES[optimizer, architecture]
    if (optimizer, architecture) == ("adamw", "lstm"):
        usual *= min(1.0, _WIDEST_LSTM / lstm_width) ** 2
    peak = config.learning_rate or usual
    warmup = config.warmup_steps
    if warmup is None:
        warmup = min(100, config.max_steps // 20)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / (warmup + 1),
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(config.max_steps - warmup, 1),
        alpha=_FINAL_FRACTION,
    )


class _SummedGradients(keras.optimizers.Optimizer):
    """An optimizer whose gradients are already those of all replicas.

    Keras would sum them right before the update, which is too late for clipping, and
    would send them over the network a second time.
    """

    _rate: tf.Tensor | None = None

    def apply(self, grads, trainable_variables=None):
        # Once: Keras works the schedule out anew for every variable, a fifth of the graph.
        rate = super()._get_current_learning_rate()
        object.__setattr__(self, "_rate", rate)
        try:
            super().apply(grads, trainable_variables)
        finally:
            object.__setattr__(self, "_rate", None)

    def _get_current_learning_rate(self):
        return super()._get_current_learning_rate() if self._rate is None else self._rate

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class AdamW(_SummedGradients, keras.optimizers.AdamW):
    """Adam with decoupled weight decay."""


class Muon(_SummedGradients, keras.optimizers.Muon):
    """Momentum orthogonalized by Newton-Schulz steps, for every matrix inside the model.

    Keras' own goes by the number of axes: it would leave the matrices of attention, whose
    kernels are [D, H, K] and [H, K, D], to AdamW, and take their biases, [H, K], for matrices.
    """

    def _should_use_adamw(self, variable):
        return not variable.path.endswith("kernel")

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Find the directions of all matrices together, those of a shape as one batch.

        Fewer and larger products: a third of the operations to compile, and no slower.
        """
        grads = list(grads)
        by_shape: dict[tuple[int, ...], list[int]] = collections.defaultdict(list)
        momenta, wide = {}, {}
        for index, variable in enumerate(trainable_variables):
            if not self._should_use_adamw(variable):
                momentum = self.momentums[self._get_variable_index(variable)]
                momenta[index] = self.momentum * momentum + grads[index]
                # A matrix and its transpose have the same direction.
                wide[index] = _wide(grads[index] + self.momentum * momenta[index])
                by_shape[tuple(wide[index].shape)].append(index)
        for indices in by_shape.values():
            directions = self.zeropower_via_newtonschulz5(
                tf.stack([wide[index] for index in indices]), self.ns_steps
            )
            for index, direction in zip(indices, tf.unstack(directions), strict=True):
                shape = trainable_variables[index].shape
                grads[index] = momenta[index], _unwide(direction, shape)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def _muon_update_step(self, gradient, variable, lr, m):
        momentum, direction = gradient
        self.assign(m, momentum)
        self.assign_sub(variable, lr * direction)


def _wide(kernel: tf.Tensor) -> tf.Tensor:
    """Return a kernel as a matrix with no more rows than columns; all heads are one."""
    if len(kernel.shape) == 3:
        # Square, because D = H x K.
        return tf.reshape(kernel, (max(kernel.shape), max(kernel.shape)))
    rows, columns = kernel.shape
    return kernel if rows <= columns else tf.transpose(kernel)


def _unwide(matrix: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Return what `_wide` was given."""
    tall = len(shape) == 2 and shape[0] > shape[1]
    return tf.reshape(tf.transpose(matrix) if tall else matrix, shape)


def build_optimizer(
    config: TrainingConfig, architecture: Architecture, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Return the optimizer with its slots made for `variables`.

    It takes gradients that the step has summed over all replicas and clipped already.

    AdamW: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101. Muon: Jordan
    et al. 2024, https://kellerjordan.github.io/posts/muon/, with AdamW for embeddings,
    norms and biases.
    """
    recurrent = (v.shape[0] for v in variables if v.path.endswith("recurrent_kernel"))
    schedule = build_schedule(config, architecture, lstm_width=max(recurrent, default=1))
    if choose_optimizer(config, architecture) == "muon":
        optimizer = Muon(
            learning_rate=schedule,
            adam_lr_ratio=_MUON_ADAM_RATIO,
            adam_beta_2=0.99,
            weight_decay=config.weight_decay,
            adam_weight_decay=config.weight_decay,
            rms_rate=None,
        )
    else:
        optimizer = AdamW(learning_rate=schedule, weight_decay=config.weight_decay, beta_2=0.99)
    # Biases and the gains of norms are not decayed (as in GPT-2's recipe).
    optimizer.exclude_from_weight_decay(
        var_list=[v for v in variables if v.path.endswith(("bias", "gamma", "beta"))]
    )
    optimizer.build(variables)
    return optimizer
