"""Weights in fewer bits: what is lost, and what is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from textgen.models.precision import PRECISIONS, narrow, widen

MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.floats(-1000, 1000, width=32),
)


@given(MATRICES)
def test_int8_moves_no_weight_by_more_than_half_a_step(matrix):
    stored = dict(narrow([("kernel", matrix)], "int8"))
    scale = stored["kernel/scale"]
    assert stored["kernel"].dtype == np.int8
    assert sum(scale.shape) == 1 + max(scale.shape)
    moved = np.abs(widen(stored)["kernel"] - matrix)
    assert (moved <= scale * 0.5001).all()


@pytest.mark.parametrize(("precision", "digits"), [("bfloat16", 8), ("float16", 11)])
def test_floats_keep_their_first_digits(precision, digits):
    matrix = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    stored = dict(narrow([("token_embedding", matrix)], precision))
    assert stored["token_embedding"].dtype.itemsize == 2
    assert widen(stored)["token_embedding"] == pytest.approx(matrix, rel=2.0**-digits)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_only_matrices_of_layers_become_smaller(precision):
    others = {
        "output/bias": np.float32([0.1, 0.2]),
        "norm/gamma": np.float32([1.1]),
        "rotation/sines": np.float32([[0.1, 0.2]]),
        "distance_bias": np.zeros((2, 2, 2), np.float32),
    }
    stored = dict(narrow(others.items(), precision))
    assert stored.keys() == others.keys()
    assert all(stored[name] is value for name, value in others.items())
