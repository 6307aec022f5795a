"""The inputs of the exported graph: names, dtypes and defaults, from the table of controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.config import BeamSearchConfig, ContrastiveSearchConfig, SamplingConfig
from textgen.config.controls import Control, controls_of
from textgen.generation.state import Request
from textgen.sampling.sampling_controls import ROWS, SamplingControls

_SAMPLING = controls_of(SamplingConfig)
_DTYPES = {"int32": np.int32, "int64": np.int64, "float32": np.float32, "string": object}
# The inputs that the searches share with sampling.
SEARCH_INPUTS = ("max_new_tokens", "stop", "banned")
# What the constraints of the table become together, on the host.
_AUTOMATON = {"automaton": np.array([b""], object), "automaton_state": np.zeros(1, np.int32)}

# Whether a prompt is a rendered template, whose special tokens are tokens; see
# `Generator.prefill`. Only models whose vocabulary has texts for them have this input.
TEMPLATE_INPUTS = {"parse_special": np.array([False])}


# How much a text may copy. Only models that have a table of their corpus have this input.
NOVEL_INPUTS = {"novel": np.zeros(1, np.int32)}


def default_inputs() -> dict[str, np.ndarray]:
    """Return the default of every input but the prompts, one row each.

    One row stands for all rows of the batch.
    """
    return {**_defaults(_SAMPLING), **_AUTOMATON}


def beam_search_inputs() -> dict[str, np.ndarray]:
    """Return the defaults of beam search's own inputs, those without `SEARCH_INPUTS`."""
    return _own_defaults(BeamSearchConfig)


def contrastive_search_inputs() -> dict[str, np.ndarray]:
    """Return the defaults of contrastive search's own inputs, those without `SEARCH_INPUTS`."""
    return _own_defaults(ContrastiveSearchConfig)


def _own_defaults(config: type) -> dict[str, np.ndarray]:
    return _defaults(row for row in controls_of(config) if row.name not in SEARCH_INPUTS)


def _defaults(rows: Iterable[Control]) -> dict[str, np.ndarray]:
    return {
        name: np.array(values, _DTYPES[dtype])
        for row in rows
        for name, (dtype, values) in row.inputs(row.default).items()
    }


def make_request(
    inputs: Mapping[str, Any], batch_size: tf.Tensor, make_bias: Callable[..., tf.Tensor]
) -> Request:
    """Convert a caller's inputs to the form that the decode loop takes.

    Args:
        inputs: Tensors by the names of `default_inputs`, and of `NOVEL_INPUTS` if there is a table
            of the corpus, with one row each or B.
        batch_size: int32[], B.
        make_bias: `Generator.bias`.

    Returns:
        The request, with B rows in every tensor but `automaton`, whose single row may have
        megabytes.
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
        automaton=inputs["automaton"],
        automaton_state=values["automaton_state"],
        controls=SamplingControls(**{row.name: values[row.name] for row in ROWS}),
        novel=values.get("novel", ()),
    )
