"""The orthogonal matrix nearest to a matrix, by matrix products alone.

Letters in shapes: N matrices, R rows, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

# Coefficients (a, b, c) of polynomials a x + b x^3 + c x^5. Of all compositions of three, theirs is
# nearest to 1 for x in [0.01, 1] (Amsel et al. 2025, https://arxiv.org/abs/2505.16932, algorithm
# 2): from 0.73 to 1.27.
POLYNOMIALS = (
    (8.0934, -23.6204, 17.4462),
    (3.6366, -2.7219, 0.5365),
    (2.6613, -1.9772, 0.4526),
)
# Below the squares of all gradients that are not zero, and above zero.
_TINY = 1e-20


def orthogonalize(
    matrices: tf.Tensor, polynomials: Sequence[tuple[float, float, float]] = POLYNOMIALS
) -> tf.Tensor:
    """Return matrices with the same singular vectors, and singular values near 1.

    Polynomials of a matrix's singular values are products of polynomials of its Gram matrix with
    the matrix itself, so only two products are as wide as the matrix, however many polynomials.
    The Frobenius norm of the Gram matrix bounds its largest eigenvalue much closer than the
    matrix's own norm would: that replaces a polynomial.

    Args:
        matrices: float32[N, R, C], no matrix with more rows than columns.
        polynomials: Coefficients of the polynomials, which follow one another.

    Returns:
        float32[N, R, C]. Singular values below a hundredth of the bound stay below 1.
    """
    matrices *= tf.math.rsqrt(tf.reduce_sum(matrices**2, (-2, -1), keepdims=True) + _TINY)
    gram = tf.matmul(matrices, matrices, transpose_b=True)
    bound = tf.norm(gram, axis=(-2, -1), keepdims=True) + _TINY
    gram /= bound
    identity = tf.eye(gram.shape[-1], dtype=gram.dtype)
    product = None
    for index, (a, b, c) in enumerate(polynomials):
        factor = a * identity + b * gram + c * tf.matmul(gram, gram)
        product = factor if product is None else tf.matmul(factor, product)
        if index < len(polynomials) - 1:
            # All of them are polynomials of one matrix, so their order does not matter.
            gram = tf.matmul(factor, tf.matmul(gram, factor))
    return tf.matmul(product, matrices) * tf.math.rsqrt(bound)
