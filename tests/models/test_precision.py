"""Weights in fewer bits, or fewer weights: what is lost, and what is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from textgen.models.precision import PRECISIONS, WideWeights, narrow

# The scale of smaller weights would be a subnormal number, which has few digits.
WEIGHTS = st.floats(-1000, 1000, width=32).map(lambda weight: weight * (abs(weight) > 1e-30))
MATRICES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=WEIGHTS
)


@given(MATRICES)
def test_int8_moves_no_weight_by_more_than_half_a_step(matrix):
    stored = dict(narrow([("kernel", matrix)], "int8"))
    scale = stored["kernel/scale"]
    assert stored["kernel"].dtype == np.int8
    assert sum(scale.shape) == 1 + max(scale.shape)
    moved = np.abs(WideWeights(stored)["kernel"] - matrix)
    assert (moved <= scale * 0.5001).all()


@pytest.mark.parametrize(("precision", "digits"), [("bfloat16", 8), ("float16", 11)])
def test_floats_keep_their_first_digits(precision, digits):
    matrix = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    stored = dict(narrow([("token_embedding", matrix)], precision))
    assert stored["token_embedding"].dtype.itemsize == 2
    assert WideWeights(stored)["token_embedding"] == pytest.approx(matrix, rel=2.0**-digits)


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


# Of int8, pruning may change the scale as well.
@given(MATRICES, st.floats(0.01, 0.99), st.sampled_from([None, "bfloat16", "float16"]))
def test_pruning_takes_the_smallest_weights_and_no_others(matrix, pruned, precision):
    own = WideWeights(dict(narrow([("kernel", matrix)], precision)))["kernel"]
    left = WideWeights(dict(narrow([("kernel", matrix)], precision, pruned)))["kernel"]
    lost = left != own
    assert np.count_nonzero(left == 0) >= round(pruned * matrix.size)
    assert np.count_nonzero(lost) <= round(pruned * matrix.size)
    assert (left[lost] == 0).all()
    assert np.abs(matrix[lost]).max(initial=0) <= np.abs(matrix[left != 0]).min(initial=1000)


@pytest.mark.parametrize(("precision", "bytes_of_weight"), [(None, 4), ("float16", 2), ("int8", 1)])
def test_zeros_take_a_bit_each(precision, bytes_of_weight):
    matrix = np.random.default_rng(1).normal(size=(40, 50)).astype(np.float32)
    stored = dict(narrow([("kernel", matrix)], precision, 0.75))
    assert stored["kernel"].nbytes == pytest.approx(500 * bytes_of_weight, rel=0.02)
    assert stored["kernel/mask"].nbytes == 2000 / 8
    few = dict(narrow([("kernel", matrix)], "int8", 0.1))  # too few for a mask to pay
    assert few["kernel"].shape == matrix.shape
