"""Dynamic evaluation: what a text teaches a model that reads it.

The model predicts a window of the text, then takes a gradient step on it, and goes on to the next
(Krause et al. 2018, https://arxiv.org/abs/1709.07432). No token is learned before it is predicted,
so the bits are those of a fair compressor that knows the model.

The step is the paper's: each weight moves against its gradient, divided by the root mean square of
its gradients, and falls back a little towards the value that it had. The paper takes the mean over
the training part, which an imported model does not have; here it is over the text so far.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from textgen.catalog import Catalog
from textgen.errors import ConfigError
from textgen.evaluation.windows import Windows, full_context
from textgen.inference import Score, TextGenerator
from textgen.inheritance import find_parent, trainable_model
from textgen.runtime.banner import hidden_banner

if TYPE_CHECKING:
    import tensorflow as tf

    from textgen.models.base import LanguageModel

# How far a weight moves per step where its gradient is as large as usual, times the width of the
# model. Twice as much gains a little more on texts like the corpus, ten times as much loses;
# docs/explanation/laboratory.md has the measurements.
_RATE_TIMES_WIDTH = 0.02
# The fraction of the way back to its first value that a weight goes per step.
_DECAY = 2e-3
# Weights, their first values, gradients and squares take 16 bytes per weight.
_MAX_WEIGHTS = 200_000_000
# Longer contexts are cut: a step learns from one window, and few of them teach little.
_MAX_WINDOW = 256
# Windows that are scored together before the model adapts.
_ROWS_AT_A_TIME = 8


class AdaptedScores(NamedTuple):
    """Scores of the same texts, in the same windows.

    Attributes:
        fixed: By the model as it is.
        adapted: By the model while it learns from what it has read.
    """

    fixed: list[Score]
    adapted: list[Score]


def score_adapting(
    model: TextGenerator,
    texts: Sequence[str],
    *,
    rate: float | None = None,
    on_windows: Callable[[int, int], None] = lambda done, total: None,
) -> AdaptedScores:
    """Score texts in order with a model, and with a copy of it that learns from them.

    Every token is predicted from at least half a context, which is cut to 256 tokens. The copy
    is forgotten: the model on the disk does not change.

    Args:
        model: An open model.
        texts: What to score. Those of which cleaning leaves nothing are left out.
        rate: How far a weight moves per step. Defaults to 0.02 divided by the model's width.
        on_windows: Called with the windows scored so far and their total.

    Raises:
        ConfigError: If the rate is not positive, the model is too large to train here, or a text
            made it diverge.
        ModelDamagedError: If the model's weights cannot be trained on.
        TokenizerError: If a text is not Unicode text.

    Example:
        >>> found = score_adapting(model, ["Once upon a time there was a king."])
        >>> found.adapted[0].num_tokens == found.fixed[0].num_tokens
        True
    """
    if rate is None:
        rate = _RATE_TIMES_WIDTH / model.card.model.hidden_dim
    if not 0 < rate < float("inf"):
        raise ConfigError(f"rate must be a finite number > 0. Received: {rate}")
    if model.card.num_parameters > _MAX_WEIGHTS:
        raise ConfigError(
            f"A model that adapts must have at most {_MAX_WEIGHTS:,} weights. "
            f"Received: {model.card.num_parameters:,}"
        )
    cleaned = [text for text in map(model.clean, texts) if text]
    if not cleaned:
        return AdaptedScores([], [])
    ids = [np.asarray(model.tokenizer.encode(text), np.int32) for text in cleaned]
    has_documents = model.card.corpus is not None and model.card.corpus.has_documents
    prefix_id = model.tokenizer.prefix_id(has_documents)
    context = min(model.card.model.context_length, _MAX_WINDOW)
    windows = full_context(ids, prefix_id, context, has_limit=True)
    learner = _Learner(_trainable(model), rate)
    total = 2 * len(windows.starts)

    def score(rows_at_a_time: int, predict: Callable, done: int) -> list[Score]:
        parts = []
        for first in range(0, len(windows.starts), rows_at_a_time):
            rows = np.arange(first, min(first + rows_at_a_time, len(windows.starts)))
            parts.append(_logprobs(windows, rows, context, predict))
            on_windows(done + int(rows[-1]) + 1, total)
        logprobs = np.concatenate(parts)
        if not np.isfinite(logprobs).all():
            raise ConfigError("rate must be lower: the model diverged on this text.")
        ends = np.cumsum([len(each) for each in ids])[:-1]
        each = zip(cleaned, ids, np.split(logprobs, ends), strict=True)
        return [Score(*values, model.tokenizer) for values in each]

    fixed = score(_ROWS_AT_A_TIME, learner.predict, 0)
    return AdaptedScores(fixed, score(1, learner.predict_then_learn, len(windows.starts)))


def _trainable(model: TextGenerator) -> LanguageModel:
    """Return the Keras model with the weights of an exported one."""
    parent, _ = find_parent(Catalog(), os.fspath(model.entry.path.absolute()))
    with hidden_banner():
        return trainable_model(parent)


def _logprobs(
    windows: Windows, rows: np.ndarray, width: int, predict: Callable[..., tf.Tensor]
) -> np.ndarray:
    """Return the log-probabilities of the tokens that count in some windows, float32[N]."""
    columns = windows.starts[rows, None] + np.arange(width + 1)
    tokens = windows.tokens[np.minimum(columns, len(windows.tokens) - 1)]
    position = np.arange(width)
    counts = (position >= windows.skips[rows, None]) & (position < windows.lengths[rows, None])
    return -predict(tokens, counts.astype(np.float32)).numpy()[counts]


class _Learner:
    """A model that predicts windows of tokens, and learns from them where it is told to.

    Args:
        model: The model, whose weights change.
        rate: How far a weight moves per step.
    """

    def __init__(self, model: LanguageModel, rate: float) -> None:
        import tensorflow as tf

        self._model, self._rate = model, rate
        self._weights = [variable.value for variable in model.trainable_variables]
        self._first = [tf.identity(weight) for weight in self._weights]
        self._squares = [tf.Variable(tf.zeros_like(weight)) for weight in self._weights]
        self._steps = tf.Variable(0.0)
        self._predict = tf.function(self._losses, autograph=False, reduce_retracing=True)
        self._learn = tf.function(self._losses_and_step, autograph=False)

    def predict(self, tokens: np.ndarray, counts: np.ndarray) -> tf.Tensor:
        """Return the loss of every target, float32[B, T], from int32[B, T + 1] tokens."""
        return self._predict(tokens)

    def predict_then_learn(self, tokens: np.ndarray, counts: np.ndarray) -> tf.Tensor:
        """Return the same, then take a step on the targets that count, float32[B, T]."""
        from textgen.tensorflow_internals import without_memory_optimizer

        with without_memory_optimizer():
            return self._learn(tokens, counts)

    def _losses(self, tokens: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        logits = self._model(tokens[:, :-1], training=False)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits)

    def _losses_and_step(self, tokens: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = self._losses(tokens)
            loss = tf.reduce_sum(losses * counts) / tf.reduce_sum(counts)
        gradients = tape.gradient(loss, self._weights)
        steps = self._steps.assign_add(1.0)
        for gradient, weight, first, squares in zip(
            gradients, self._weights, self._first, self._squares, strict=True
        ):
            # That of an embedding is a list of rows.
            gradient = tf.convert_to_tensor(gradient)
            usual = tf.sqrt(squares.assign_add(tf.square(gradient)) / steps)
            # A weight that rarely has a gradient, such as that of a rare token, moves no further
            # than others.
            change = self._rate * tf.math.divide_no_nan(gradient, usual + tf.reduce_mean(usual))
            weight.assign_sub(change + _DECAY * (weight - first))
        return losses
