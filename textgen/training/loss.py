"""The loss of a trained model on a text that it did not train on."""

from __future__ import annotations

import tensorflow as tf

from textgen.models.base import LanguageModel
from textgen.windows import RowValidationWindows, ValidationWindows


def mean_loss(model: LanguageModel, windows: ValidationWindows | RowValidationWindows) -> float:
    """Return the mean loss in nats per token over windows that need not be divided by replicas.

    Args:
        model: The model, on one device.
        windows: The windows.
    """

    @tf.function
    def summed(tokens: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
        logits = model(tokens[:, :-1], training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits)
        return tf.reduce_sum(tf.where(real, losses, 0.0))

    total = sum(float(summed(*batch)) for batch in windows)
    return total / windows.num_targets
