"""The precision that a model computes in while it trains."""

from __future__ import annotations

import tensorflow as tf

from textgen.config import TrainingConfig
from textgen.models import ModelConfig

# The compute capability of NVIDIA's Ampere, whose matrix products are twice as fast in bfloat16.
_BFLOAT16_CAPABILITY = (8, 0)


def choose_dtype(config: TrainingConfig, model: ModelConfig) -> str:
    """Return the Keras dtype policy to train with: the one asked for, or the fastest.

    That is bfloat16 if all GPUs are made for it and the model gains from it, and float32 on a
    CPU.
    """
    mixed = config.mixed_precision
    if mixed is None:
        details = map(
            tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU")
        )
        capabilities = [each.get("compute_capability", (0, 0)) for each in details]
        is_fast = min(capabilities, default=(0, 0)) >= _BFLOAT16_CAPABILITY
        mixed = is_fast and model.profile.is_bfloat16_faster
    return "mixed_bfloat16" if mixed else "float32"
