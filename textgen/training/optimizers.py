"""Optimizers and their learning rates.

Letters in shapes: D hidden_dim, H heads, K = D / H.
"""

from __future__ import annotations

import collections

import keras
import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.keras_internals import MatrixMuon, SummedGradients
from textgen.models import ModelConfig
from textgen.training.orthogonalization import orthogonalize

# The learning rate of Muon's AdamW part, as a fraction of that of its matrices.
_MUON_ADAM_RATIO = 0.2
# The learning rate of a model that is trained already, as a fraction of a random one's; see
# docs/explanation/laboratory.md.
FINE_TUNING_FACTOR = 0.5
# The learning rate of adapters times the width of the model: narrow models want a higher one.
_ADAPTER_RATE_TIMES_WIDTH = 0.6
# SGD's momentum, and its peak learning rate.
_SGD_MOMENTUM, _SGD_RATE = 0.9, 0.1
# How the paths of biases and of the parameters of norms end.
_UNDECAYED = ("bias", "gamma", "beta", "scale")


def choose_optimizer(config: TrainingConfig, model: ModelConfig) -> str:
    """Return the optimizer's name: the one asked for, or the one that suits the model."""
    if config.optimizer != "auto":
        return config.optimizer
    # Muon is for whole matrices.
    return "adamw" if config.adapter_rank else model.profile.optimizer


def peak_rate(config: TrainingConfig, model: ModelConfig, *, is_trained: bool = False) -> float:
    """Return the highest learning rate: the one asked for, or the one that suits the model.

    Args:
        config: How to train it.
        model: The shape of the model.
        is_trained: Whether it is a trained model, which needs a lower rate than a random one.
    """
    if config.learning_rate is not None:
        return config.learning_rate
    optimizer = choose_optimizer(config, model)
    if config.adapter_rank:
        return _ADAPTER_RATE_TIMES_WIDTH / model.hidden_dim
    factor = FINE_TUNING_FACTOR if is_trained else 1.0
    if optimizer == "sgd":
        return factor * _SGD_RATE
    known = "adamw" if optimizer == "adam" else optimizer
    return factor * model.profile.learning_rate(known, model)


class _Peak(keras.optimizers.schedules.LearningRateSchedule):
    """A placeholder for the rate that the training step passes to the optimizer.

    As a number, Keras would keep it in a variable, which the checkpoints do not have.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def __call__(self, step):
        return self._rate


class AdamW(SummedGradients, keras.optimizers.AdamW):
    """Adam with decoupled weight decay."""


class Adam(SummedGradients, keras.optimizers.Adam):
    """Adam without weight decay."""


class SGD(SummedGradients, keras.optimizers.SGD):
    """Stochastic gradient descent."""


class Muon(MatrixMuon):
    """Orthogonalized momentum for every matrix inside the model.

    Keras' own Muon goes by the number of axes. It would leave the matrices of attention, whose
    kernels are [D, H, K] and [H, K, D], to AdamW, and take their biases, [H, K], for matrices.
    """

    def is_matrix(self, variable):
        """Whether the variable is a kernel, which Muon updates."""
        return variable.path.endswith("kernel")

    def directions(self, gradients, momenta):
        """Return momenta and directions; those of matrices of one shape are found as one batch.

        Fewer and larger products compile in a third of the operations and are no slower.
        """
        by_shape: dict[tuple[int, ...], list[int]] = collections.defaultdict(list)
        new, wide = [], []
        for index, (gradient, momentum) in enumerate(zip(gradients, momenta, strict=True)):
            new.append(self.momentum * momentum + gradient)
            # A matrix and its transpose have the same direction.
            wide.append(_wide(gradient + self.momentum * new[index]))
            by_shape[tuple(wide[index].shape)].append(index)
        found: dict[int, tf.Tensor] = {}
        for indices in by_shape.values():
            batch = orthogonalize(tf.stack([wide[index] for index in indices]))
            for index, direction in zip(indices, tf.unstack(batch), strict=True):
                found[index] = _unwide(direction, gradients[index].shape)
        return [(momentum, found[index]) for index, momentum in enumerate(new)]


def _wide(kernel: tf.Tensor) -> tf.Tensor:
    """Return a kernel as a matrix with no more rows than columns, all heads as one."""
    if len(kernel.shape) == 3:
        # Square, because D = H x K.
        return tf.reshape(kernel, (max(kernel.shape), max(kernel.shape)))
    rows, columns = kernel.shape
    return kernel if rows <= columns else tf.transpose(kernel)


def _unwide(matrix: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Return the kernel of this shape that `_wide` turned into the matrix."""
    tall = len(shape) == 2 and shape[0] > shape[1]
    return tf.reshape(tf.transpose(matrix) if tall else matrix, shape)


def build_optimizer(
    config: TrainingConfig, model: ModelConfig, variables: list[keras.Variable]
) -> SummedGradients:
    """Return the optimizer with its slots created for `variables`.

    It expects gradients that the step has already summed over all replicas and clipped.

    AdamW: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101. Muon: Jordan
    et al. 2024, https://kellerjordan.github.io/posts/muon/, with AdamW for embeddings,
    norms and biases.
    """
    rate = _Peak(peak_rate(config, model))  # the step passes the true one
    name = choose_optimizer(config, model)
    optimizer: SummedGradients
    if name == "muon":
        optimizer = Muon(
            learning_rate=rate,
            adam_lr_ratio=_MUON_ADAM_RATIO,
            adam_beta_2=0.99,
            weight_decay=config.weight_decay,
            adam_weight_decay=config.weight_decay,
            rms_rate=None,
        )
    elif name == "adamw":
        optimizer = AdamW(learning_rate=rate, weight_decay=config.weight_decay, beta_2=0.99)
    elif name == "adam":
        optimizer = Adam(learning_rate=rate, beta_2=0.99)
    else:
        optimizer = SGD(learning_rate=rate, momentum=_SGD_MOMENTUM)
    # Biases and the parameters of norms do not decay, as in GPT-2's recipe.
    if name in ("muon", "adamw"):
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in variables if v.path.endswith(_UNDECAYED)]
        )
    optimizer.build(variables)
    return optimizer
