"""Perplexity is a number that JSON can hold, whatever the loss."""

import sys

import pytest

from textgen.perplexity import perplexity


@pytest.mark.parametrize(("nats", "value"), [(0.0, 1), (2.5, 12.18249396), (-0.0, 1)])
def test_it_is_the_exponential(nats, value):
    assert perplexity(nats) == pytest.approx(value)


@pytest.mark.parametrize("nats", [709.8, 1e4, float("inf")])
def test_where_no_number_is_large_enough_it_is_the_largest(nats):
    assert perplexity(nats) == sys.float_info.max
