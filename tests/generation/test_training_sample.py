"""A sample shows what the model has learned, and nothing else that changes."""

import numpy as np

from textgen.config import ModelConfig
from textgen.generation import SampleGenerator
from textgen.models import build_model
from textgen.tokenizer import CharacterTokenizer

TOKENIZER = CharacterTokenizer.learn(["\nabcdefgh"])


def test_samples_differ_only_where_the_weights_do():
    config = ModelConfig("lstm", num_layers=1, hidden_dim=8, context_length=8)
    model = build_model(config, TOKENIZER.vocab_size)
    sample = SampleGenerator(TOKENIZER, has_documents=False)
    first = sample(model)
    assert len(first) == 120
    assert sample(model) == first
    noise = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 1, variable.shape))
    second = sample(model)
    assert second != first
    assert second == SampleGenerator(TOKENIZER, has_documents=False)(model)
