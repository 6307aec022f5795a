"""Mirostat, against version 2 of llama.cpp told again in plain loops."""

import math

import numpy as np
import pytest
import tensorflow as tf

from textgen.sampling import mirostat

LOGITS = tf.math.log(tf.constant([[0.5, 0.25, 0.125, 0.125]]))


@pytest.mark.parametrize(
    ("mu", "kept"),
    [
        (0.5, [0]),
        (1.5, [0]),
        (2.5, [0, 1]),
        (3.5, [0, 1, 2, 3]),
        (-5.0, [0]),
        (math.inf, [0, 1, 2, 3]),
    ],
)
def test_tokens_more_surprising_than_mu_are_removed(mu, kept):
    logits = mirostat.truncate(LOGITS, tf.constant([mu]))
    assert np.flatnonzero(np.isfinite(logits[0])).tolist() == kept


def test_one_token_stays_even_of_several_likeliest():
    logits = mirostat.truncate(tf.zeros([1, 4]), tf.constant([1.0]))
    assert np.isfinite(logits).tolist() == [[True, False, False, False]]


def test_surprise_is_that_among_the_tokens_left():
    logits = mirostat.truncate(LOGITS, tf.constant([2.5]))
    surprise = mirostat.surprise_of(logits, tf.constant([1]))
    np.testing.assert_allclose(surprise, [math.log2(3)], rtol=1e-6)


def test_mu_starts_at_twice_the_target_and_follows_the_surprise():
    assert mirostat.initial_mu(tf.constant([3.0])).numpy().tolist() == [6]
    tau, eta = tf.constant([3.0, 3.0, 3.0, 0.0]), tf.constant([0.5, 0.0, 0.5, 0.5])
    surprise = tf.constant([5.0, 5.0, math.nan, 5.0])
    mu = mirostat.update(tf.fill([4], 6.0), tau, eta, surprise)
    assert mu.numpy().tolist() == [5, 6, 6, 6]
    assert np.isnan(mirostat.surprise_of(LOGITS, tf.constant([-1])))


def by_loops(logits, mu, tau, eta, number):
    """One token and the next mu, in float64."""
    order = sorted(range(len(logits)), key=lambda i: -logits[i])
    weights = [math.exp(logits[i] - logits[order[0]]) for i in order]
    probabilities = [weight / sum(weights) for weight in weights]
    size = next((i for i, p in enumerate(probabilities) if -math.log2(p) > mu), len(order))
    kept = dict(zip(order[: max(size, 1)], probabilities, strict=False))
    total, cumulative = sum(kept.values()), 0.0
    for token in sorted(kept):
        cumulative += kept[token] / total
        if cumulative > number:
            return token, mu - eta * (-math.log2(kept[token] / total) - tau)
    raise AssertionError


def test_a_text_takes_the_same_way_as_in_llama_cpp(choose, make_controls):
    generator = np.random.default_rng(0)
    tau, eta = 2.5, 0.3
    controls = make_controls({"mirostat_tau": tau, "mirostat_eta": eta, "temperature": 0.8})
    got, expected = np.float32([2 * tau]), 2 * tau
    for _ in range(60):
        logits = generator.normal(0, 2, 40).astype(np.float32)
        number = generator.random()
        tokens, got = choose(logits, controls, number, mu=got)
        token, expected = by_loops(logits / 0.8, expected, tau, eta, number)
        assert tokens.numpy().tolist() == [token]
        np.testing.assert_allclose(got, [expected], rtol=1e-4)
