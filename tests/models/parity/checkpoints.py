"""Small models, each with the shape of a published one, and weights that are a pure function."""

import zlib

import numpy as np

from textgen.config import ModelConfig

VOCAB_SIZE = 17
TOKENS = np.array(
    [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [16, 0, 7, 7, 2, 11, 13, 12, 10, 15, 14, 4]]
)
_LLAMA = {
    "architecture": "llama",
    "num_layers": 2,
    "num_heads": 4,
    "num_key_value_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 24,
    "context_length": 12,
}
_LLAMA3 = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
CONFIGS = {
    name: ModelConfig(**settings)
    for name, settings in {
        "gpt2": {
            "num_layers": 2,
            "num_heads": 2,
            "hidden_dim": 12,
            "context_length": 12,
            "positions": "learned",
        },
        "llama": {**_LLAMA, "rope_theta": 100.0},
        "llama3": {**_LLAMA, "rope_scaling": _LLAMA3, "tie_embeddings": False},
        "mistral": {**_LLAMA, "tie_embeddings": False, "norm_epsilon": 1e-6, "head_dim": 6},
        "qwen2": {**_LLAMA, "query_bias": True},
        "qwen3": {**_LLAMA, "query_norm": True, "head_dim": 6},
    }.items()
}


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of about 0.3, or about 1 for the scale of a norm; the same anywhere."""
    angles = np.arange(1, np.prod(shape) + 1) * (1 + zlib.crc32(name.encode()) / 2**32)
    values = 0.4 * np.sin(angles**1.1 * 12.9898)
    return (values.reshape(shape) + name.endswith("gamma")).astype(np.float32)
