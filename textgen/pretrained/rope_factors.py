"""Llama 3.1's RoPE scaling, from the factors in a GGUF file."""

from __future__ import annotations

import numpy as np

from textgen.errors import PublishedModelError

# All models with this scaling have these settings; only the factor differs.
_LOW, _HIGH, _ORIGINAL = 1.0, 4.0, 8192


def scaling_of_factors(factors: np.ndarray, theta: float) -> dict[str, float]:
    """Return the settings that a list of factors was computed from.

    Args:
        factors: float32[K / 2], by which the wavelength of each pair is multiplied.
        theta: The base of the wavelengths.

    Raises:
        PublishedModelError: If the factors are those of another scaling.
    """
    factor = float(factors.max())
    wavelengths = 2 * np.pi * theta ** (np.arange(factors.size) / factors.size)
    smooth = np.clip((_ORIGINAL / wavelengths - _LOW) / (_HIGH - _LOW), 0, 1)
    expected = 1 / ((1 - smooth) / factor + smooth)
    if not np.allclose(factors.ravel(), expected, rtol=1e-3):
        raise PublishedModelError(
            "Models with another RoPE scaling than Llama 3.1's are not supported."
        )
    return {
        "factor": factor,
        "low_freq_factor": _LOW,
        "high_freq_factor": _HIGH,
        "original_max_position_embeddings": _ORIGINAL,
    }
