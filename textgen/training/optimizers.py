"""Optimizers and the learning-rate schedule."""

from __future__ import annotations

import keras

from textgen.config import Architecture, TrainingConfig

# Peak learning rates where none is given: the best of a few, see docs/benchmarks.md.
# Muon's is that of its orthogonalized matrices; its AdamW part runs at a fraction.
_LEARNING_RATES = {
    ("muon", "transformer"): 2e-2,
    ("muon", "lstm"): 2e-2,
    ("adamw", "transformer"): 1e-3,
    ("adamw", "lstm"): 4e-3,
}
_MUON_ADAM_RATIO = 0.2
_FINAL_FRACTION = 0.1


def choose_optimizer(config: TrainingConfig, architecture: Architecture) -> str:
    """Return `muon` or `adamw`: what was asked for, or what suits the architecture."""
    if config.optimizer != "auto":
        return config.optimizer
    return "adamw" if architecture == "lstm" else "muon"


def build_schedule(
    config: TrainingConfig, architecture: Architecture
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return linear warmup, then a cosine down to a tenth of the peak.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    optimizer = choose_optimizer(config, architecture)
    peak = config.learning_rate or _LEARNING_RATES[optimizer, architecture]
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


class _SummedGradients:
    """An optimizer whose gradients are already those of all replicas.

    Keras would sum them right before the update, which is too late for clipping, and
    would send them over the network a second time.
    """

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

    def zeropower_via_newtonschulz5(self, x, steps):
        """Return the nearest orthogonal matrix, roughly; all heads of attention are one."""
        shape = x.shape
        if len(shape) == 3:
            # Square, because D = H x K.
            x = keras.ops.reshape(x, (max(shape), max(shape)))
        return keras.ops.reshape(super().zeropower_via_newtonschulz5(x, steps), shape)


def build_optimizer(
    config: TrainingConfig, architecture: Architecture, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Return the optimizer with its slots made for `variables`.

    It takes gradients that the step has summed over all replicas and clipped already.

    AdamW: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101. Muon: Jordan
    et al. 2024, https://kellerjordan.github.io/posts/muon/, with AdamW for embeddings,
    norms and biases.
    """
    schedule = build_schedule(config, architecture)
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
