"""How Llama 3.1 stretches its rotations, from the factors that a GGUF file holds."""

from __future__ import annotations

import numpy as np

from textgen.errors import PublishedModelError

# The same for all models that have it; only the factor differs.
_LOW, _HIGH, _ORIGINAL = 1.0, 4.0, 8192


def scaling_of_factors(factors: np.ndarray, theta: float) -> dict[str, float]:
    """Return the settings that a list of factors was computed from.

    Args:
        factors: float32[K / 2], by which the wavelength of each pair is multiplied.
        theta: The base of the wavelengths.

    Raises:
        PublishedModelError: If the factors are others.
    """
    factor = float(factors.max())
    wavelengths = 2 * np.pi * theta ** (np.arange(factors.size) / factors.size)
    smooth = np.clip((_ORIGINAL / wavelengths - _LOW) / (_HIGH - _LOW), 0, 1)
    expected = 1 / ((1 - smooth) / factor + smooth)
    if not np.allclose(factors.ravel(), expected, rtol=1e-3):
        raise PublishedModelError(
            "Models that stretch their rotations in another way than Llama 3.1 are not supported."
        )
    return {
        "factor": factor,
        "low_freq_factor": _LOW,
        "high_freq_factor": _HIGH,
        "original_max_position_embeddings": _ORIGINAL,
    }
