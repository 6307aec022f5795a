"""Positions other than relative ones: as KerasNLP computes them, and exported like all else."""

import keras_nlp
import numpy as np
import pytest

from textgen.config import ModelConfig
from textgen.models.transformer.positions import rotations, sinusoidal_embedding
from textgen.serving.checks import prove
from textgen.tokenizer import CharacterTokenizer


def config(kind):
    return ModelConfig(num_layers=1, num_heads=2, hidden_dim=12, context_length=9, positions=kind)


def test_sinusoidal_embeddings_are_those_of_kerasnlp():
    theirs = keras_nlp.layers.SinePositionEncoding()(np.zeros((1, 9, 12), np.float32))
    np.testing.assert_allclose(sinusoidal_embedding(config("sinusoidal")), theirs[0], atol=1e-5)


def test_rotations_are_those_of_kerasnlp():
    x = np.random.default_rng(0).normal(size=(1, 9, 2, 6)).astype(np.float32)
    theirs = keras_nlp.layers.RotaryEmbedding()(x)
    cosines, sines = (table[:, None] for table in rotations(config("rotary")))
    first, second = np.split(x, 2, axis=-1)
    ours = x * cosines + np.concatenate([-second, first], -1) * sines
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["learned", "sinusoidal", "rotary"])
def test_an_exported_model_passes_every_check(export_model, kind):
    tokenizer = CharacterTokenizer.learn(["\n .abcdé"])
    exported = export_model(kind, config(kind), tokenizer, seed=1)
    assert not [result for result in prove(exported.path) if result.failure]
