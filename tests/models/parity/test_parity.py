"""Models of published shapes compute what `transformers` does with the same weights."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.models.parity.checkpoints import CONFIGS, TOKENS, VOCAB_SIZE, weight
from tests.models.parity.theirs import LOGITS, logits_of
from textgen.models import build_model

EXPECTED = {
    name: np.reshape(values, (*TOKENS.shape, VOCAB_SIZE))
    for name, values in json.loads(LOGITS.read_text("utf-8")).items()
}


@pytest.fixture(params=CONFIGS)
def name(request):
    return request.param


@pytest.fixture
def model(name):
    model = build_model(CONFIGS[name], VOCAB_SIZE)
    for path, variable in model.named_variables().items():
        variable.assign(weight(path, tuple(variable.shape)))
    return model


def test_the_model_that_trains_has_their_logits(name, model):
    np.testing.assert_allclose(model(TOKENS), EXPECTED[name], atol=1e-4)


def test_the_model_that_generates_has_their_logits(name, model):
    decoder = model.decoder()
    tokens = TOKENS.astype(np.int32)
    hidden, state = decoder.prefill(tokens[:, :5], np.array([5, 5], np.int32))
    found = [*tf.unstack(hidden, axis=1)]
    state = decoder.reserve(state, tf.constant([5, 5]), 12)
    for t in range(5, 12):
        hidden, state = decoder.step(tokens[:, t], state, tf.constant([t, t]))
        found.append(hidden)
    logits = np.stack([decoder.logits(hidden) for hidden in found], 1)
    np.testing.assert_allclose(logits, EXPECTED[name], atol=1e-4)


def test_their_logits_are_what_the_file_says(name):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    np.testing.assert_allclose(logits_of(name), EXPECTED[name], atol=1e-4)
