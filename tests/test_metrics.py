"""Figures computed from a loss are those of their definitions, and JSON can hold them."""

import sys

import pytest

from textgen.metrics import bits, bits_per_character, perplexity


@pytest.mark.parametrize(("nats", "value"), [(0.0, 1), (2.5, 12.18249396), (-0.0, 1)])
def test_perplexity_is_the_exponential(nats, value):
    assert perplexity(nats) == pytest.approx(value)


@pytest.mark.parametrize("nats", [709.8, 1e4, float("inf")])
def test_perplexity_beyond_the_largest_float_is_that_float(nats):
    assert perplexity(nats) == sys.float_info.max


def test_a_loss_per_token_becomes_bits_per_character():
    assert bits(0.6931471805599453) == pytest.approx(1)
    assert bits_per_character(0.6931471805599453, 0.5) == pytest.approx(0.5)
