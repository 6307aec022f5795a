"""Settings as the inputs of an exported model's signatures."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textgen.config import SamplingConfig

_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def make_seeds(config: SamplingConfig, count: int) -> list[int]:
    """Return a seed for each of `count` texts: the config's, or a fresh one, and those after it."""
    fresh = int.from_bytes(os.urandom(4), "little") // 2
    first = fresh if config.seed is None else config.seed
    return [(first + row) % 2**63 for row in range(count)]


def make_inputs(config: SamplingConfig, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the inputs of `generate` and `prefill`, but the prompts.

    Args:
        config: how to sample; one row for all texts.
        seeds: one for each text.
    """
    values = dataclasses.asdict(config)
    bias = values.pop("logit_bias")
    inputs: dict[str, np.ndarray] = {
        "seed": np.array(seeds, np.int64),
        "max_time": np.array([config.max_time or 0], np.float32),
        "logprobs": np.array([-1 if config.logprobs is None else config.logprobs], np.int32),
        "bias_text": _texts([text for text, _ in bias]),
        "bias": np.array([[_number(value) for _, value in bias]], np.float32).reshape(1, -1),
    }
    given = {name: value for name, value in values.items() if name not in inputs}
    return {**inputs, **as_inputs(given)}


def as_inputs(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return numbers and tuples of texts as inputs, one row each."""
    return {
        name: _texts(value) if isinstance(value, tuple) else np.array([_number(value)])
        for name, value in values.items()
    }


def _texts(values: Sequence[str]) -> np.ndarray:
    return np.array([[text.encode() for text in values]], object).reshape(1, -1)


def _number(value: float) -> float:
    """Return the nearest number that an input of the model can hold."""
    limit = _LARGEST_FLOAT32
    return value if abs(value) < 2**31 else float(max(-limit, min(value, limit)))
