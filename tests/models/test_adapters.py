"""Low-rank adapters: what they begin with, what a step computes, what is exported."""

import keras
import numpy as np
import pytest

from textgen.errors import ConfigError
from textgen.models import ModelConfig, build_model

CONFIGS = {
    "transformer": {"num_heads": 2},
    "llama": {"num_heads": 2, "num_key_value_heads": 1, "query_bias": True},
}
IDS = np.arange(2, 10)[None]


def adapted(architecture, rank=3, first_layer=0):
    shape = {"num_layers": 2, "hidden_dim": 16, "context_length": 8, "dropout": 0.0}
    model = build_model(ModelConfig(architecture, **shape, **CONFIGS[architecture]), 11, seed=1)
    before = np.asarray(model(IDS))
    model.add_adapters(rank, seed=5, first_layer=first_layer)
    return model, before


def spread(model):
    """Give the adapters something to add."""
    noise = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.2, variable.shape))


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_model_with_new_adapters_is_the_model(architecture):
    model, before = adapted(architecture)
    np.testing.assert_allclose(model(IDS), before, atol=1e-6)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_merged_weights_have_the_logits_of_the_adapters(architecture):
    model, before = adapted(architecture)
    spread(model)
    with_adapters = np.asarray(model(IDS))
    assert np.abs(with_adapters - before).max() > 0.05
    merged = build_model(model.config, 11, seed=2)
    merged.load_decoder_weights(model.decoder_weights())
    np.testing.assert_allclose(merged(IDS), with_adapters, atol=1e-4)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_adapted_layers_compute_what_keras_computes(architecture):
    model, _ = adapted(architecture)
    spread(model)
    fast = np.asarray(model(IDS))
    for layer in model._flatten_layers():
        if getattr(layer, "lora_enabled", False):
            layer.call = type(layer).call.__get__(layer)
    np.testing.assert_allclose(model(IDS), fast, atol=1e-5)


@pytest.mark.parametrize("architecture", CONFIGS)
def test_only_adapters_train_and_their_seed_decides_on_them(architecture):
    model, _ = adapted(architecture, first_layer=1)
    paths = [variable.path for variable in model.trainable_variables]
    assert paths
    assert all("lora_kernel" in path and "block_1" in path for path in paths)
    again, _ = adapted(architecture, first_layer=1)
    for first, second in zip(model.trainable_variables, again.trainable_variables, strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_adapter_is_small():
    model, _ = adapted("llama", rank=2)
    arrays = model.adapters.arrays()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
    assert arrays["block_0/gate/kernel/a"].shape == (16, 2)
    count = sum(array.size for array in arrays.values())
    assert count == sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_a_family_without_dense_layers_is_refused():
    model = build_model(ModelConfig("lstm", num_layers=1, hidden_dim=8), 11)
    with pytest.raises(ConfigError, match="adapter_rank needs a model"):
        model.add_adapters(2, seed=0)


def test_keras_still_has_what_the_adapters_use():
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    layer.enable_lora(2)
    assert layer.lora_kernel_a.shape == (2, 2)
    assert layer.lora_alpha == layer.lora_rank == 2
