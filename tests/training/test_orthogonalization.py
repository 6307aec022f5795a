"""Orthogonalization keeps singular vectors and brings singular values near 1."""

import numpy as np
import pytest

from textgen.training.orthogonalization import POLYNOMIALS, orthogonalize


def expected(matrix):
    """Return what `orthogonalize` promises, from a singular value decomposition."""
    u, values, v = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    values /= np.sum(values**4) ** 0.25
    for a, b, c in POLYNOMIALS:
        values = a * values + b * values**3 + c * values**5
    return u * values @ v


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shape", [(16, 16), (16, 64)])
def test_every_matrix_of_a_batch_has_the_singular_values_of_the_polynomials(shape, scale):
    matrices = scale * np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    for found, matrix in zip(orthogonalize(matrices).numpy(), matrices, strict=True):
        np.testing.assert_allclose(found, expected(matrix), atol=1e-4)


def test_singular_values_from_a_hundredth_up_end_near_1():
    values = np.geomspace(0.01, 1, 500)
    for a, b, c in POLYNOMIALS:
        values = a * values + b * values**3 + c * values**5
    assert values.min() > 0.73 - 1e-3
    assert values.max() < 1.27 + 1e-3


def test_zeros_stay_zeros():
    np.testing.assert_array_equal(orthogonalize(np.zeros((1, 4, 4), np.float32)), 0)
