"""Figures computed from a loss are those of their definitions, and JSON can hold them."""

import math
import sys

import pytest

from textgen.metrics import NUM_CODE_POINTS, bits, perplexity, unknown_nats


@pytest.mark.parametrize(("nats", "value"), [(0.0, 1), (2.5, 12.18249396), (-0.0, 1)])
def test_perplexity_is_the_exponential(nats, value):
    assert perplexity(nats) == pytest.approx(value)


@pytest.mark.parametrize("nats", [709.8, 1e4, float("inf")])
def test_perplexity_beyond_the_largest_float_is_that_float(nats):
    assert perplexity(nats) == sys.float_info.max


def test_a_bit_tells_two_apart():
    assert bits(math.log(2)) == pytest.approx(1)


@pytest.mark.parametrize("num_known", [0, 65, NUM_CODE_POINTS - 1])
def test_characters_that_a_model_lacks_are_equally_likely(num_known):
    assert math.exp(-unknown_nats(num_known)) == pytest.approx(1 / (NUM_CODE_POINTS - num_known))
