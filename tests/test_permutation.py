"""Every number once, in an order that looks random and is never stored."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.permutation import Permutation


def permutation(length, *seed):
    return Permutation(length, np.random.default_rng(seed))


@given(length=st.integers(1, 3000), seed=st.integers(0, 2**31 - 1))
def test_every_number_comes_exactly_once(length, seed):
    numbers = permutation(length, seed)[np.arange(length)]
    np.testing.assert_array_equal(np.sort(numbers), np.arange(length))


@given(length=st.integers(1, 2**62), seed=st.integers(0, 2**31 - 1), data=st.data())
def test_each_position_is_computed_on_its_own(length, seed, data):
    positions = data.draw(st.lists(st.integers(0, length - 1), min_size=1, max_size=5))
    order = permutation(length, seed)
    numbers = order[np.array(positions)]
    assert numbers.dtype == np.int64
    assert ((numbers >= 0) & (numbers < length)).all()
    assert len(set(numbers.tolist())) == len(set(positions))
    assert [int(order[np.array([position])][0]) for position in positions] == numbers.tolist()


@pytest.mark.parametrize("length", [3, 4])
def test_all_orders_of_a_few_numbers_are_about_equally_likely(length):
    orders = Counter(tuple(permutation(length, 5, key)[np.arange(length)]) for key in range(4800))
    expected = 4800 / np.prod(np.arange(1, length + 1))
    # Six standard deviations of a count.
    assert len(orders) == 4800 / expected
    assert all(abs(count - expected) < 6 * expected**0.5 for count in orders.values())


def test_neighbors_are_not_kept_together():
    length = 100_000
    numbers = permutation(length, 0)[np.arange(length)]
    # In a random order, neighbors are a third of its length apart on average.
    assert np.abs(np.diff(numbers)).mean() == pytest.approx(length / 3, rel=0.02)
    assert abs(np.corrcoef(np.arange(length), numbers)[0, 1]) < 0.02
