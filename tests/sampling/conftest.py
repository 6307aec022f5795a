"""What the sampling tests share: controls at their neutral values, and a traced chain."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.sampling import Chain, SamplingControls

INTEGERS = {"top_k", "repeat_last_n", "no_repeat_ngram_size", "dry_allowed_length"}
OFF = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repeat_last_n": -1,
    "no_repeat_ngram_size": 0,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "mirostat_tau": 0.0,
    "mirostat_eta": 0.1,
    "seed": 0,
}


def _dtype(name):
    return tf.int64 if name == "seed" else tf.int32 if name in INTEGERS else tf.float32


def _controls(*rows):
    """`SamplingControls` of one row for every dictionary; what it lacks is turned off."""
    rows = [OFF | row for row in rows]
    return SamplingControls(
        **{name: tf.constant([row[name] for row in rows], _dtype(name)) for name in OFF}
    )


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None], tf.float32),
        SamplingControls(**{name: tf.TensorSpec([None], _dtype(name)) for name in OFF}),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None], tf.bool),
        tf.TensorSpec([None], tf.float32),
        tf.TensorSpec([None, None], tf.float32),
    ],
    autograph=False,
)
def _graph(logits, controls, number, xtc_number, history, breakers, mu, bias):
    return Chain(controls, bias, breakers).sample(logits, number, xtc_number, history, mu)


def _choose(
    logits,
    controls,
    number,
    xtc_number=0.0,
    history=None,
    breakers=None,
    mu=0.0,
    bias=None,
):
    logits = np.atleast_2d(np.asarray(logits, np.float32))
    size, vocab_size = logits.shape

    def column(values):
        return np.broadcast_to(np.asarray(values, np.float32), [size])

    return _graph(
        logits,
        controls,
        column(number),
        column(xtc_number),
        np.zeros([size, 0], np.int32) if history is None else history,
        np.zeros(vocab_size, bool) if breakers is None else breakers,
        column(mu),
        np.zeros([size, 1], np.float32) if bias is None else np.asarray(bias, np.float32),
    )


@pytest.fixture(scope="session")
def make_controls():
    return _controls


@pytest.fixture(scope="session")
def choose():
    """`Chain.sample` in a graph, what one does not name being neutral."""
    return _choose


@pytest.fixture(scope="session")
def sampling_graph():
    """The concrete function behind `choose`."""
    return _graph.get_concrete_function()
