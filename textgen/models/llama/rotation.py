"""How queries and keys turn with their positions.

Dimension i of a head turns with dimension i + K / 2 (Su et al. 2021,
https://arxiv.org/abs/2104.09864, section 3.4, with the pairs that GPT-NeoX chose).

Letters in shapes: K the width of a head.
"""

from __future__ import annotations

import math

import numpy as np

from textgen.models.llama.config import LlamaConfig


def rotation_rates(config: LlamaConfig) -> np.ndarray:
    """Return by how many radians each pair of dimensions turns per token: float32[K / 2].

    With `rope_scaling`, wavelengths that the training of Llama 3 saw less than
    `low_freq_factor` times in a text are `factor` times as long, and those that it saw more than
    `high_freq_factor` times are as they were; between the two, the rates are interpolated.
    """
    half = config.head_width // 2
    # In float32, as all implementations have them: far into a text a rounding shows.
    rates = config.rope_theta ** -(np.arange(half, dtype=np.float32) / np.float32(half))
    scaling = config.rope_scaling
    if scaling is not None:
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        turns = scaling["original_max_position_embeddings"] * rates / (2 * math.pi)
        kept = np.clip((turns - low) / (high - low), 0, 1)
        rates = kept * rates + (1 - kept) * rates / scaling["factor"]
    return rates.astype(np.float32)
