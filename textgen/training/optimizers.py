"""Optimizers and the learning-rate schedule."""

from __future__ import annotations

import keras

from textgen.config import TrainingConfig

# Peak learning rates where none is given. Muon's is that of its orthogonalized matrices;
# the AdamW part of it runs at a fraction. See docs/benchmarks.md for how they compare.
DEFAULT_LEARNING_RATE = {"adamw": 1e-3, "muon": 2e-2}
_MUON_ADAM_RATIO = 0.2
_FINAL_FRACTION = 0.1
# Fixed, because Keras would number a second optimizer of a process, and with it the paths
# by which checkpoints know their variables.
_NAME = "optimizer"


def build_schedule(config: TrainingConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return linear warmup, then a cosine down to a tenth of the peak.

    Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    peak = config.learning_rate or DEFAULT_LEARNING_RATE[config.optimizer]
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


def build_optimizer(
    config: TrainingConfig, variables: list[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Return the optimizer with its slots made for `variables`.

    Gradients are not clipped here but in the loop, after they were summed over all
    replicas: that keeps the result independent of how many replicas there are.

    AdamW: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101. Muon: Jordan
    et al. 2024, https://kellerjordan.github.io/posts/muon/, with AdamW for embeddings,
    norms and biases.
    """
    schedule = build_schedule(config)
    if config.optimizer == "muon":
        optimizer = keras.optimizers.Muon(
            learning_rate=schedule,
            name=_NAME,
            adam_lr_ratio=_MUON_ADAM_RATIO,
            adam_beta_2=0.99,
            weight_decay=config.weight_decay,
            adam_weight_decay=config.weight_decay,
            rms_rate=None,
        )
    else:
        optimizer = keras.optimizers.AdamW(
            learning_rate=schedule, name=_NAME, weight_decay=config.weight_decay, beta_2=0.99
        )
    # Biases and the gains of norms are not decayed (as in GPT-2's recipe).
    optimizer.exclude_from_weight_decay(
        var_list=[v for v in variables if v.path.endswith(("bias", "gamma", "beta"))]
    )
    optimizer.build(variables)
    return optimizer
