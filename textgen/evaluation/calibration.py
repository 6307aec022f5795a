"""Whether a model is as often right as it is sure.

Reference:
    Guo et al., "On Calibration of Modern Neural Networks", 2017,
    https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

import numpy as np

from textgen.evaluation.bootstrap import Bootstrap, Figure

NUM_BINS = 15


def calibration_error(
    best_logprobs: np.ndarray,
    is_right: np.ndarray,
    unit: np.ndarray,
    bootstrap: Bootstrap,
    num_units: int,
) -> Figure:
    """Return the expected calibration error of a model's first choices.

    Tokens are sorted into 15 bins of equal width by the probability of the most likely token. The
    error is the mean difference between that probability and how often the token is right,
    weighted by the tokens in each bin.

    Args:
        best_logprobs: float[N], of the most likely token in each place.
        is_right: bool[N], whether it was the one.
        unit: int[N], the document or block of each.
        bootstrap: Resamples of the units.
        num_units: How many there are.

    Example:
        >>> sure = np.log(np.full(100, 0.9))
        >>> right = np.arange(100) < 90
        >>> error = calibration_error(sure, right, np.zeros(100, int), Bootstrap(1), 1)
        >>> round(error.value, 6)
        0.0
    """
    confidence = np.exp(np.minimum(best_logprobs, 0.0))
    place = unit * NUM_BINS + np.minimum((confidence * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    size = num_units * NUM_BINS
    gaps = np.bincount(place, is_right - confidence, size).reshape(num_units, NUM_BINS)
    counts = np.bincount(unit, minlength=num_units).astype(float)

    def error(sums: np.ndarray) -> np.ndarray:
        return np.abs(sums[..., :-1]).sum(axis=-1) / np.maximum(sums[..., -1], 1)

    return bootstrap.figure(error, np.column_stack([gaps, counts]))
