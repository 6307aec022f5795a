"""The weights of a decoder go back into a Keras model, which can be trained on."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.shapes import SHAPES
from textgen.config import TrainingConfig
from textgen.models import build_model
from textgen.training.step import Step

VOCAB_SIZE = 11
TOKENS = np.random.default_rng(0).integers(0, VOCAB_SIZE, (8, 12)).astype(np.int32)


def batches(num_steps):
    """Windows in which every token is the one before plus one, so that there is much to learn."""
    starts = np.random.default_rng(1).integers(0, VOCAB_SIZE, (num_steps, 8, 1))
    return ((starts + np.arange(13)) % VOCAB_SIZE).astype(np.int32)


def learner(config):
    training = TrainingConfig(max_steps=100, batch_size=8, jit_compile=False)
    return Step(config, training, VOCAB_SIZE, tf.distribute.get_strategy())


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES)
def trained(request):
    step = learner(request.param)
    step.run(batches(10), 0, np.ones(10, np.float32))
    return step.model


def test_a_fresh_model_with_the_decoder_s_weights_has_its_logits(trained):
    weights = trained.decoder_weights()
    fresh = build_model(trained.config, VOCAB_SIZE, seed=5)
    fresh.load_decoder_weights(weights)
    np.testing.assert_allclose(fresh(TOKENS), trained(TOKENS), atol=1e-4)
    for name, value in fresh.decoder_weights().items():
        np.testing.assert_allclose(value, weights[name], atol=1e-4)


def test_such_a_model_can_be_trained_on(trained):
    step = learner(trained.config)
    step.model.load_decoder_weights(trained.decoder_weights())
    losses, _ = step.run(batches(20), 0, np.ones(20, np.float32)).T
    assert losses[0] < np.log(VOCAB_SIZE)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_any_weights_go_back(config):
    """Also those far from where training ends, and with more tokens than dimensions or fewer."""
    for vocab_size in (3, 11, 40):
        model = build_model(config, vocab_size)
        generator = np.random.default_rng(vocab_size)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(0, 0.4, variable.shape))
        fresh = build_model(config, vocab_size)
        fresh.load_decoder_weights(model.decoder_weights())
        tokens = TOKENS % vocab_size
        np.testing.assert_allclose(fresh(tokens), model(tokens), atol=1e-4)


def test_weights_of_another_shape_are_refused(trained):
    other = build_model(trained.config, VOCAB_SIZE + 1)
    with pytest.raises(ValueError, match="weights must be those of a decoder of this shape"):
        other.load_decoder_weights(trained.decoder_weights())


class Read(dict):
    """Weights that remember which of them were read."""

    def __init__(self, weights):
        super().__init__(weights)
        self.names = []

    def __getitem__(self, name):
        self.names.append(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", ["transformer", "llama"])
def test_large_models_are_fused_a_block_at_a_time(name):
    """And taken apart again: their memory may not hold one copy more."""
    config = next(each for each in SHAPES.values() if each.architecture == name)
    model = build_model(config, VOCAB_SIZE)
    own = {name: np.asarray(variable) for name, variable in model.named_variables().items()}
    for convert, weights in ((model.fuse, own), (model.unfuse, model.decoder_weights())):
        read = Read(weights)
        for found, _ in convert(read):
            if found.startswith("block_0/"):
                assert not [each for each in read.names if each.startswith("block_1/expand")]
                assert not [each for each in read.names if each.startswith("block_1/gate")]
