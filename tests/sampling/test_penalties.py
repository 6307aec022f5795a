"""Penalties on numbers small enough to work out by hand, and against Hugging Face."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.sampling.history import count_tokens
from textgen.sampling.penalties import (
    ban_repeated_ngrams,
    penalize_frequency,
    penalize_presence,
    penalize_repetition,
)

LOGITS = tf.constant([[2.0, -2.0, 0.0, 4.0]])
COUNTS = tf.constant([[1.0, 2.0, 3.0, 0.0]])


@pytest.mark.parametrize(
    ("penalize", "penalty", "expected"),
    [
        (penalize_repetition, 2.0, [1, -4, 0, 4]),
        (penalize_repetition, 0.5, [4, -1, 0, 4]),
        (penalize_repetition, 1.0, [2, -2, 0, 4]),
        (penalize_presence, 0.5, [1.5, -2.5, -0.5, 4]),
        (penalize_presence, -1.0, [3, -1, 1, 4]),
        (penalize_presence, 0.0, [2, -2, 0, 4]),
        (penalize_frequency, 0.5, [1.5, -3, -1.5, 4]),
        (penalize_frequency, 0.0, [2, -2, 0, 4]),
    ],
)
def test_penalties_change_what_was_said(penalize, penalty, expected):
    np.testing.assert_allclose(penalize(LOGITS, COUNTS, tf.constant([penalty]))[0], expected)


@pytest.mark.parametrize(
    ("history", "size", "banned"),
    [
        ([0, 1, 2, 0, 1], 3, [2]),  # 0 1 went on with 2
        ([0, 1, 2, 0, 1], 2, [2]),
        ([0, 1, 2, 0, 1], 4, []),
        ([0, 1, 0, 2, 0], 2, [1, 2]),
        ([0, 1, 2, 0, 1], 1, [0, 1, 2]),
        ([3, 3, 3, 3, 3], 5, [3]),
        ([3, 3, 3, 3, 3], 6, []),
        ([-1, -1, -1, 3, 3], 2, [3]),
        ([-1, -1, -1, -1, 3], 1, [3]),
        ([0, 1, 2, 0, 1], 0, []),
    ],
)
def test_ngrams_are_not_completed_twice(history, size, banned):
    logits = ban_repeated_ngrams(LOGITS, tf.constant([history]), tf.constant([size]))
    assert np.flatnonzero(np.isinf(logits[0])).tolist() == banned
    assert np.all((logits == LOGITS) | np.isinf(logits))


def test_every_row_has_its_own_size():
    history = tf.constant([[0, 1, 2, 0, 1]] * 3)
    logits = ban_repeated_ngrams(tf.tile(LOGITS, [3, 1]), history, tf.constant([0, 1, 3]))
    assert np.isinf(logits).sum(axis=1).tolist() == [0, 3, 1]


@pytest.mark.parametrize("seed", range(5))
def test_hugging_face_penalizes_the_same(seed):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (4, 30)).astype(np.float32)
    history = generator.integers(0, 5 if seed % 2 else 30, (4, 20)).astype(np.int32)
    ids, scores = torch.tensor(history, dtype=torch.int64), torch.tensor(logits)
    counts = count_tokens(tf.constant(history), 30)
    for penalty in (0.7, 1.0, 1.3):
        process = transformers.RepetitionPenaltyLogitsProcessor(penalty)
        got = penalize_repetition(tf.constant(logits), counts, tf.fill([4], penalty))
        np.testing.assert_allclose(got, process(ids, scores.clone()), rtol=1e-6)
    for size in (1, 2, 3, 20, 21):
        process = transformers.NoRepeatNGramLogitsProcessor(size)
        got = ban_repeated_ngrams(tf.constant(logits), tf.constant(history), tf.fill([4], size))
        np.testing.assert_array_equal(got, process(ids, scores.clone()))
