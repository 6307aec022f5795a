"""Filters on distributions small enough to work out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.sampling.filters import (
    divisor_of,
    exclude_top_choices,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    keep_typical_p,
    scale_temperature,
)

PROBABILITIES = [0.1, 0.4, 0.2, 0.3]
LOGITS = tf.constant(np.log([PROBABILITIES]), tf.float32)


def kept(logits):
    return np.flatnonzero(np.isfinite(logits.numpy()[0])).tolist()


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (1, [1]),
        (2, [1, 3]),
        (3, [1, 2, 3]),
        (4, [0, 1, 2, 3]),
        (0, [0, 1, 2, 3]),
        (9, [0, 1, 2, 3]),
    ],
)
def test_top_k_keeps_the_k_likeliest(k, expected):
    assert kept(keep_top_k(LOGITS, tf.constant([k]))) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.39, [1]),
        (0.41, [1, 3]),
        (0.69, [1, 3]),
        (0.71, [1, 2, 3]),
        (0.95, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),
        (0.0, [1]),
    ],
)
def test_top_p_keeps_the_smallest_set_that_reaches_p(p, expected):
    assert kept(keep_top_p(LOGITS, tf.constant([p], tf.float32))) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, [0, 1, 2, 3]),
        (0.24, [0, 1, 2, 3]),
        (0.26, [1, 2, 3]),
        (0.49, [1, 2, 3]),
        (0.51, [1, 3]),
        (0.76, [1]),
        (1.0, [1]),
    ],
)
def test_min_p_keeps_what_is_nearly_as_likely_as_the_likeliest(p, expected):
    assert kept(keep_min_p(LOGITS, tf.constant([p], tf.float32))) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        # The entropy is 1.280; the surprises 2.303, 0.916, 1.609, 1.204 are 1.023, 0.364,
        # 0.330 and 0.076 away from it: the order is 3, 2, 1, 0.
        (0.0, [3]),
        (0.29, [3]),
        (0.31, [2, 3]),
        (0.49, [2, 3]),
        (0.51, [1, 2, 3]),
        (0.91, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),
    ],
)
def test_typical_p_keeps_what_surprises_about_as_much_as_expected(p, expected):
    assert kept(keep_typical_p(LOGITS, tf.constant([p], tf.float32))) == expected


def test_typical_p_keeps_equally_typical_tokens_together():
    logits = tf.zeros([1, 4])
    assert kept(keep_typical_p(logits, tf.constant([0.3]))) == [0, 1, 2, 3]


def test_typical_p_is_not_disturbed_by_removed_tokens():
    logits = tf.concat([LOGITS, [[-np.inf, -np.inf]]], axis=1)
    assert kept(keep_typical_p(logits, tf.constant([0.31]))) == [2, 3]


@pytest.mark.parametrize(
    ("probability", "threshold", "number", "expected"),
    [
        (1.0, 0.25, 0.99, [0, 2, 3]),  # 0.4 and 0.3 are likely enough; 0.3 stays
        (1.0, 0.15, 0.99, [0, 2]),
        (1.0, 0.05, 0.99, [0]),
        (1.0, 0.0, 0.99, [0]),
        (1.0, 0.35, 0.99, [0, 1, 2, 3]),  # one token alone stays
        (1.0, 0.5, 0.99, [0, 1, 2, 3]),
        (0.5, 0.15, 0.49, [0, 2]),
        (0.5, 0.15, 0.5, [0, 1, 2, 3]),
        (0.0, 0.15, 0.0, [0, 1, 2, 3]),
    ],
)
def test_xtc_leaves_the_least_likely_of_the_top_choices(probability, threshold, number, expected):
    parameters = (tf.constant([value], tf.float32) for value in (probability, threshold, number))
    assert kept(exclude_top_choices(LOGITS, *parameters)) == expected


def test_xtc_leaves_one_of_several_equally_likely_and_none_that_was_removed():
    logits = tf.constant([[-np.inf, 1.0, 1.0, -1.0, -np.inf]])
    one = tf.constant([1.0])
    assert kept(exclude_top_choices(logits, one, one * 0.3, one * 0)) == [1, 3]
    assert kept(exclude_top_choices(logits, one, one * 0, one * 0)) == [3]


def test_temperature_divides_and_zero_leaves_the_likeliest():
    logits = tf.constant([[1.0, 2.0, 2.0], [1.0, 2.0, 2.0], [1.0, 1.0 + 1e-7, -np.inf]])
    scaled = scale_temperature(logits, divisor_of(tf.constant([2.0, 0.0, 0.0])))
    half = np.exp(-0.5)
    np.testing.assert_allclose(tf.exp(scaled), [[half, 1, 1], [0, 1, 1], [0, 1, 0]], rtol=1e-6)


def test_every_row_has_its_own_parameter():
    logits = tf.tile(LOGITS, [2, 1])
    finite = np.isfinite(keep_top_k(logits, tf.constant([1, 3])).numpy())
    assert finite.sum(axis=1).tolist() == [1, 3]


@pytest.mark.parametrize("seed", range(5))
def test_top_p_and_top_k_agree_with_a_plain_numpy_rendering(seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (8, 50)).astype(np.float32)
    p = generator.uniform(0.05, 0.99, 8).astype(np.float32)
    k = generator.integers(1, 50, 8).astype(np.int32)
    got = np.isfinite(keep_top_p(keep_top_k(tf.constant(logits), k), p).numpy())
    for row in range(8):
        order = np.argsort(-logits[row])[: k[row]]
        probability = np.exp(logits[row][order].astype(np.float64))
        probability /= probability.sum()
        size = int(np.searchsorted(np.cumsum(probability), p[row])) + 1
        assert sorted(order[:size]) == np.flatnonzero(got[row]).tolist()


def xtc_by_loops(logits, probability, threshold, number):
    """The algorithm of llama.cpp: which tokens stay."""
    if probability <= 0 or threshold > 0.5 or number > probability:
        return sorted(np.flatnonzero(np.isfinite(logits)).tolist())
    order = sorted((i for i, x in enumerate(logits) if np.isfinite(x)), key=lambda i: -logits[i])
    weights = np.exp(np.asarray(logits, np.float64)[order])
    last = 0
    for position, p in enumerate(weights / weights.sum()):
        if p < threshold:
            break
        last = position
    return sorted(order[last:])


@pytest.mark.parametrize("seed", range(5))
def test_xtc_agrees_with_llama_cpp(seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 1.5, (20, 12)).astype(np.float32)
    logits[generator.random(logits.shape) < 0.2] = -np.inf
    parameters = generator.uniform([[0], [0], [0]], [[1], [0.5], [1]], (3, 20)).astype(np.float32)
    left = exclude_top_choices(tf.constant(logits), *map(tf.constant, parameters)).numpy()
    for row in range(20):
        expected = xtc_by_loops(logits[row].tolist(), *parameters[:, row].tolist())
        assert np.flatnonzero(np.isfinite(left[row])).tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_hugging_face_keeps_the_same_tokens(seed):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    logits = np.random.default_rng(seed).normal(0, 2, (8, 50)).astype(np.float32)
    logits[:, :5] = -np.inf
    for keep, warper, values in [
        (keep_top_k, transformers.TopKLogitsWarper, (1, 7, 50)),
        (keep_top_p, transformers.TopPLogitsWarper, (0.1, 0.5, 0.95)),
        (keep_min_p, transformers.MinPLogitsWarper, (0.0, 0.05, 0.5)),
        (keep_typical_p, transformers.TypicalLogitsWarper, (0.1, 0.5, 0.95)),
    ]:
        for value in values:
            got = keep(tf.constant(logits), tf.fill([8], value))
            expected = warper(value)(None, torch.tensor(logits))
            np.testing.assert_array_equal(got, expected, str((keep, value)))
