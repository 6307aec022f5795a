"""Convert settings to the arrays that a SavedModel's signatures are fed with."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textgen.config import SamplingConfig
from textgen.config.controls import Stage, controls_of
from textgen.errors import ConfigError
from textgen.runtime import SavedModel

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def merge_settings(config: Any, settings: Mapping[str, Any], *classes: Any) -> Any:
    """Return a config with the fields that `settings` names replaced.

    Args:
        config: An instance of one of `classes`; `None` for the defaults of the first.
        settings: Values by field.
        *classes: Config classes.

    Raises:
        ConfigError: If the config is of another class, a setting is not one of its fields, or
            a value is outside its range.
    """
    config = classes[0]() if config is None else config
    if not isinstance(config, classes):
        names = " or a ".join(allowed.__name__ for allowed in classes)
        raise ConfigError(f"config must be a {names}. Received: {config!r}")
    known = {field.name for field in dataclasses.fields(config)}
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"A setting must be a field of {type(config).__name__}. Received: {name}"
            )
    return dataclasses.replace(config, **settings)


def make_seeds(config: SamplingConfig, count: int) -> list[int]:
    """Return `count` consecutive seeds that start at the config's, or at a random one."""
    random = int.from_bytes(os.urandom(4), "little") // 2
    first = random if config.seed is None else config.seed
    return [(first + row) % 2**63 for row in range(count)]


def prompt_feeds(
    model: SavedModel, prompts: Sequence[str], parse_special: bool = False
) -> dict[str, Any]:
    """Return the inputs that hold prompts.

    Args:
        model: The model that they are for.
        prompts: Any texts.
        parse_special: Whether they are rendered templates, whose special tokens are tokens.

    Raises:
        ConfigError: If the model has no texts for its special tokens.
    """
    if not parse_special:
        return {"prompts": prompts}
    if "parse_special" not in model.signatures["prefill"].inputs:
        raise ConfigError("parse_special needs a model whose special tokens have texts")
    return {"prompts": prompts, "parse_special": [True]}


def sampling_feeds(config: SamplingConfig, seeds: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the inputs of `generate` and `prefill` except prompts and automata.

    Args:
        config: How to sample. Its values become one row, which applies to the whole batch.
        seeds: One seed per text.
    """
    values = {
        control.name: getattr(config, control.name)
        for control in controls_of(SamplingConfig)
        if control.stage is not Stage.CONSTRAINT
    }
    bias = values.pop("logit_bias")
    special: dict[str, np.ndarray] = {
        "seed": np.array(seeds, np.int64),
        "max_time": np.array([_clamped(config.max_time or 0)], np.float32),
        "logprobs": np.array([-1 if config.logprobs is None else config.logprobs], np.int32),
        "bias_text": _strings([text for text, _ in bias]),
        "bias": np.array([[_clamped(value) for _, value in bias]], np.float32).reshape(1, -1),
    }
    return {**feeds({k: v for k, v in values.items() if k not in special}), **special}


def feeds(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return numbers and tuples of strings as arrays of one row each."""
    return {
        name: _strings(value) if isinstance(value, tuple) else np.array([_clamped(value)])
        for name, value in values.items()
    }


def _strings(values: Sequence[str]) -> np.ndarray:
    return np.array([[text.encode() for text in values]], object).reshape(1, -1)


def _clamped(value: float) -> float:
    """Return the nearest number that an int32 or float32 input can hold."""
    return value if abs(value) < 2**31 else float(max(-_MAX_FLOAT32, min(value, _MAX_FLOAT32)))
