"""What a caller may ask for: names, types, and the values where none is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.config import SamplingConfig
from textgen.generation.records import Request
from textgen.sampling import SamplingControls

_DEFAULTS = SamplingConfig()
# What stands for None in a tensor.
_NO_LIMIT, _NO_LOGPROBS, _RANDOM_SEED = 0.0, -1, -1
_WHOLE = {"top_k", "repeat_last_n", "no_repeat_ngram_size", "dry_allowed_length"}


def default_inputs() -> dict[str, np.ndarray]:
    """Return the value of every input but the prompts.

    One row each, which stands for all rows of the batch.
    """
    controls = {
        name: np.array([getattr(_DEFAULTS, name)], np.int32 if name in _WHOLE else np.float32)
        for name in SamplingControls._fields
        if name != "seed"
    }
    return {
        "max_new_tokens": np.array([_DEFAULTS.max_new_tokens], np.int32),
        "min_new_tokens": np.array([_DEFAULTS.min_new_tokens], np.int32),
        "max_time": np.array([_NO_LIMIT], np.float32),
        **controls,
        "seed": np.array([_RANDOM_SEED], np.int64),
        # Empty texts count for nothing. An empty row would say the same, but a server that
        # merges requests pads the shorter rows, and cannot pad what has no element.
        "stop": np.array([[b""]], object),
        "banned": np.array([[b""]], object),
        "bias_text": np.array([[b""]], object),
        "bias": np.array([[0.0]], np.float32),
        "logprobs": np.array([_NO_LOGPROBS], np.int32),
    }


def make_request(
    inputs: Mapping[str, Any], batch_size: tf.Tensor, make_bias: Callable[..., tf.Tensor]
) -> Request:
    """Bring what a caller gave into the form that the decode loop takes.

    Args:
        inputs: tensors by the names of `default_inputs`, one row each or B.
        batch_size: int32[], B.
        make_bias: `Generator.bias`.

    Returns:
        The request, B rows in every tensor.
    """

    def rows(values):
        shape = tf.concat([[batch_size], tf.shape(values)[1:]], 0)
        return tf.broadcast_to(values, shape)

    values = {name: rows(tensor) for name, tensor in inputs.items()}
    fresh = tf.random.uniform([batch_size], maxval=tf.int64.max, dtype=tf.int64)
    values["seed"] = tf.where(values["seed"] < 0, fresh, values["seed"])
    max_time = tf.cast(values["max_time"], tf.float64)
    return Request(
        max_new_tokens=values["max_new_tokens"],
        min_new_tokens=values["min_new_tokens"],
        deadline=tf.where(max_time > 0, tf.timestamp() + max_time, float("inf")),
        logprobs=values["logprobs"],
        stop=values["stop"],
        bias=make_bias(values["bias_text"], values["bias"], values["banned"]),
        controls=SamplingControls(**{name: values[name] for name in SamplingControls._fields}),
    )
