"""Soft targets: what a teacher predicts for every token that a student is to learn.

A student learns to predict a mixture of the text and its teacher (Hinton et al. 2015,
https://arxiv.org/abs/1503.02531). The teacher processes the training part once. Of each of its
predictions the most likely tokens are kept, and the rest of the probability goes to the text.

A taught token is 1 + K integers, which windows and batches carry where a plain one is one: the
token, and then K predictions in its place, each a token in the upper 16 bits and its probability
in the lower ones.

Letters in shapes: B batch, T time, K predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from textgen.models.base import LanguageModel

# The most likely tokens, and how much the teacher counts beside the text; see
# docs/explanation/laboratory.md.
_NUM_PREDICTIONS, _WEIGHT = 16, 0.9
_UNIT = 2**16 - 1
# The teacher's logits take 64 MB at a time.
_MAX_LOGITS = 2**24


def num_predictions(vocab_size: int) -> int:
    """Return K, the predictions that are kept for every token."""
    return min(_NUM_PREDICTIONS, vocab_size)


def write_taught(
    path: Path,
    tokens: np.ndarray,
    teacher: LanguageModel,
    on_tokens: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the taught tokens of a text as a `.npy` file, uint32[num_tokens, 1 + K].

    The teacher predicts each token from half of its context or more, but for the first ones.

    Args:
        path: The file.
        tokens: int[num_tokens], the text.
        teacher: The model that predicts. It has at most 65,536 tokens.
        on_tokens: Called with the tokens done so far and their total.

    Raises:
        OSError: If the file cannot be written.
    """
    context, kept = teacher.config.context_length, num_predictions(teacher.vocab_size)
    lead = context // 2
    batch_size = max(1, _MAX_LOGITS // (context * teacher.vocab_size))
    taught = np.lib.format.open_memmap(path, "w+", np.uint32, (len(tokens), 1 + kept))
    taught[:, 0] = tokens

    @tf.function(autograph=False)
    def predict(windows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.math.top_k(tf.nn.softmax(teacher(windows, training=False)), kept)

    starts = np.arange(0, max(len(tokens) - 1 - lead, 1), context - lead)
    for first in range(0, len(starts), batch_size):
        batch = starts[first : first + batch_size, None]
        positions = batch + np.arange(context)
        windows = tokens[np.minimum(positions, len(tokens) - 1)]
        probabilities, ids = (found.numpy() for found in predict(windows.astype(np.int32)))
        packed = ids.astype(np.uint32) << 16 | np.rint(_UNIT * probabilities).astype(np.uint32)
        is_first = (positions >= batch + lead) | (batch == 0)
        is_kept = is_first & (positions + 1 < len(tokens))
        taught[positions[is_kept] + 1, 1:] = packed[is_kept]
        on_tokens(int(min(batch[-1, 0] + context + 1, len(tokens))), len(tokens))
    taught.flush()


def add_teaching(
    losses: tf.Tensor, targets: tf.Tensor, logits: tf.Tensor, predictions: tf.Tensor
) -> tf.Tensor:
    """Return the losses of predicting the mixture instead of the text, float32[B, T].

    Args:
        losses: float32[B, T], the cross-entropies with the text.
        targets: int32[B, T], the tokens of the text.
        logits: float32[B, T, V], the student's.
        predictions: int32[B, T, K], of the teacher in the place of each target.
    """
    packed = tf.bitcast(predictions, tf.uint32)
    ids = tf.cast(tf.bitwise.right_shift(packed, np.uint32(16)), tf.int32)
    shares = tf.cast(tf.bitwise.bitwise_and(packed, np.uint32(_UNIT)), tf.float32) / _UNIT
    own = tf.gather(logits, targets[..., None], batch_dims=2)
    differences = own - tf.gather(logits, ids, batch_dims=2)
    return losses + _WEIGHT * tf.reduce_sum(shares * differences, -1)
