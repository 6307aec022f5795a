"""Positions that are computed, not learned: sinusoidal embeddings and rotations.

Letters in shapes: C context_length, D hidden_dim, K = D / H the width of a head.
"""

from __future__ import annotations

import numpy as np

from textgen.models.transformer.config import TransformerConfig

# The wavelength, in tokens, of the slowest of the sines and rotations.
SINE_WAVELENGTH = ROTARY_WAVELENGTH = 10_000


def embedding_scale(config: TransformerConfig) -> float:
    """Return the factor of token embeddings before positions are added.

    Sines are as large as 1, and sqrt(D) makes the embeddings comparable (Vaswani et al. 2017,
    section 3.4).
    """
    return config.hidden_dim**0.5 if config.positions == "sinusoidal" else 1.0


def sinusoidal_embedding(config: TransformerConfig) -> np.ndarray:
    """Return the embeddings of all positions, float64[C, D]: sines, each beside its cosine.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5.
    """
    dimensions = np.arange(config.hidden_dim)
    rates = SINE_WAVELENGTH ** -(2 * (dimensions // 2) / config.hidden_dim)
    angles = np.arange(config.context_length)[:, None] * rates
    return np.where(dimensions % 2, np.cos(angles), np.sin(angles))


def rotations(config: TransformerConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines and sines of the rotation at every position, float64[C, K] each.

    Dimension i turns with dimension i + K / 2 (Su et al. 2021,
    https://arxiv.org/abs/2104.09864, section 3.4, with the pairs that GPT-NeoX chose).
    """
    half = config.hidden_dim // config.num_heads // 2
    rates = ROTARY_WAVELENGTH ** -(np.arange(half) / half)
    angles = np.tile(np.arange(config.context_length)[:, None] * rates, 2)
    return np.cos(angles), np.sin(angles)
