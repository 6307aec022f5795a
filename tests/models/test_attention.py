"""Where heads look: what the decoder mixes its values by."""

import keras
import numpy as np
import pytest

from tests.models.shapes import SHAPES
from textgen.models import build_model
from textgen.models.llama import model as llama_model


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_attention_goes_to_what_came_before(config):
    model = build_model(config, vocab_size=11, seed=3)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0, 0.4, variable.shape))
    tokens = np.random.default_rng(1).integers(0, 11, 9).astype(np.int32)
    weights = config.profile.attention(config, 11, model.decoder_weights(), tokens)
    if config.architecture == "lstm":
        assert weights is None
        return
    assert weights.shape == (config.num_layers, config.num_heads, 9, 9)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()
    assert weights.std() > 0.01
    # Nothing that comes later changes it.
    tokens[6:] = (tokens[6:] + 1) % 11
    changed = config.profile.attention(config, 11, model.decoder_weights(), tokens)
    np.testing.assert_allclose(changed[:, :, :6], weights[:, :, :6], atol=1e-5)


def test_heads_that_share_keys_are_in_the_order_of_the_trained_model(monkeypatch):
    config = SHAPES["llama-grouped"]
    model = build_model(config, vocab_size=11, seed=3)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0, 0.4, variable.shape))
    tokens = np.random.default_rng(1).integers(0, 11, 9).astype(np.int32)
    weights = config.profile.attention(config, 11, model.decoder_weights(), tokens)
    seen = []

    def softmax(scores):
        seen.append(np.asarray(original(scores)))  # [B, G, R, T, T]
        return original(scores)

    original = keras.ops.softmax
    monkeypatch.setattr(llama_model.keras.ops, "softmax", softmax)
    model(tokens[None])
    wanted = np.concatenate(seen).reshape(weights.shape)
    np.testing.assert_allclose(weights, wanted, atol=1e-5)
