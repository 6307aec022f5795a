"""DRY, against the algorithm of llama.cpp told again in plain loops."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from textgen.sampling.dry import penalize_dry


def by_loops(history, multiplier, base, allowed, breakers):
    """The penalty of every token."""
    penalties = [0.0] * len(breakers)
    tokens = [token for token in history if token >= 0]
    if multiplier == 0 or base < 1 or len(tokens) <= allowed:
        return penalties
    backwards = tokens[::-1]
    limit = len(tokens)
    for distance, token in enumerate(backwards):
        if breakers[token]:
            limit = distance
            break
    if limit < allowed:
        return penalties
    longest = {}
    for start in range(1, len(tokens)):
        n = 0
        while start + n < len(tokens) and backwards[n] == backwards[start + n]:
            n += 1
        n = min(n, limit)
        follower = backwards[start - 1]
        if n >= allowed and n > longest.get(follower, -1):
            longest[follower] = n
    largest = int(88.7228391 / math.log(base)) if base > 1.000001 else 0
    for token, n in longest.items():
        if not breakers[token]:
            exponent = n - allowed
            if largest > 0:
                exponent = min(exponent, largest)
            penalties[token] = multiplier * base**exponent
    return penalties


def penalties(history, multiplier, base, allowed, breakers):
    """The same with `penalize_dry`, for one or many rows."""
    logits = tf.zeros([len(history), len(breakers)])
    got = penalize_dry(
        logits,
        tf.constant(history, tf.int32),
        tf.constant(multiplier, tf.float32),
        tf.constant(base, tf.float32),
        tf.constant(allowed, tf.int32),
        tf.constant(breakers),
    )
    return -got.numpy()


def test_a_repeat_costs_more_the_longer_it_is():
    a, b, c, y = range(4)
    none = [False] * 4
    got = penalties([[a, b, c, c, b, c, y, a, b, c]], [1.0], [2.0], [1], none)
    # a b c -> c is three tokens, b c -> y two, c -> b one.
    assert got.tolist() == [[0, 1, 4, 2]]
    got = penalties([[a, b, c, c, b, c, y, a, b, c]], [0.5], [2.0], [2], none)
    assert got.tolist() == [[0, 0, 1, 0.5]]


def test_a_breaker_interrupts_and_is_never_penalized():
    breakers = [True, False, False]
    # Without the breaker 0 in it the match before 2 would be three tokens long.
    assert penalties([[1, 0, 1, 2, 1, 0, 1]], [1.0], [2.0], [1], breakers).tolist() == [[0, 0, 1]]
    assert penalties([[1, 0, 2, 1]], [1.0], [2.0], [1], breakers).tolist() == [[0, 0, 0]]
    assert penalties([[1, 2, 0, 1, 2, 0]], [1.0], [2.0], [1], breakers).tolist() == [[0, 0, 0]]


rows = st.tuples(
    st.lists(st.integers(0, 3), max_size=30).map(lambda ids: [-1] * (30 - len(ids)) + ids),
    st.sampled_from([0.0, 0.8, 3.0]),
    st.sampled_from([1.0, 1.75, 1e20]),
    st.integers(0, 6),
)


@given(st.lists(rows, min_size=1, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_penalties_are_those_of_llama_cpp(rows, breakers):
    got = penalties(*zip(*rows, strict=True), breakers)
    for row, penalty in zip(rows, got, strict=True):
        np.testing.assert_allclose(penalty, by_loops(*row, breakers), rtol=1e-4)


@pytest.mark.parametrize("base", [1.75, 1.01, 1.0])
def test_a_very_long_repeat_costs_a_finite_number(base):
    row = ([0] * 1000, 1.0, base, 2)
    got = penalties(*([value] for value in row), [False, False])[0]
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, by_loops(*row, [False, False]), rtol=1e-3)
