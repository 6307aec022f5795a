"""Tiny models for the searches, and the same models by plain means."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.generation import Generator, default_inputs
from textgen.models import build_model
from textgen.tokenizer import CharacterTokenizer

CONTEXT = 10
# Models that write texts of many lengths: with most random weights all end at once or none.
SEEDS = {"transformer": 37, "lstm": 3}


class TinyModel:
    """A model with random weights, whose texts come to an end now and then."""

    def __init__(self, architecture, tokenizer, has_documents=True, context_length=CONTEXT):
        config = ModelConfig(
            architecture, num_layers=2, num_heads=2, hidden_dim=16, context_length=context_length
        )
        self.keras_model = build_model(config, tokenizer.vocab_size)
        noise = np.random.default_rng(SEEDS[architecture])
        for variable in self.keras_model.trainable_variables:
            variable.assign(noise.normal(0, 1, variable.shape))
        self.tokenizer = tokenizer
        self.boundary = tokenizer.prefix_id(has_documents)
        self.generator = Generator.of_model(self.keras_model, tokenizer, has_documents)
        self.allowed = np.arange(tokenizer.vocab_size) >= (2 if has_documents else 3)
        self.max_positions = self.generator.decoder.max_positions
        self.graphs = {}
        decoder = self.generator.decoder
        self.prefill = tf.function(
            lambda *read: decoder.prefill(*read)[0],
            input_signature=[tf.TensorSpec([None] * rank, tf.int32) for rank in (2, 1)],
            autograph=False,
        )

    def run(self, name, prompts, n=30, stop=("",), banned=("",), **controls):
        """Run a search of the generator as one graph; numbers stand for all rows."""
        generator = self.generator

        def search(prompts, inputs, controls):
            request = generator.request(prompts, {**default_inputs(), **inputs})
            if name == "beam_search":
                start = generator.prefill(prompts, request)
                return generator.beam_search(start, request, **controls)
            return generator.contrastive_search(prompts, request, **controls)

        types = {"num_beams": tf.int32, "top_k": tf.int32}
        inputs = {
            "max_new_tokens": tf.constant(np.atleast_1d(n), tf.int32),
            "stop": tf.constant(np.atleast_2d(np.array(stop, object)), tf.string),
            "banned": tf.constant(np.atleast_2d(np.array(banned, object)), tf.string),
        }
        given = {
            name: tf.constant(np.atleast_1d(value), types.get(name, tf.float32))
            for name, value in controls.items()
        }
        arguments = (tf.constant(prompts, tf.string, shape=[len(prompts)]), inputs, given)
        if name not in self.graphs:
            signature = tf.nest.map_structure(
                lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype), arguments
            )
            # AutoGraph would take seconds and change nothing.
            self.graphs[name] = tf.function(search, input_signature=signature, autograph=False)
        result = self.graphs[name](*arguments)
        return type(result)(*(tensor.numpy() for tensor in result))

    def encode(self, prompt):
        """The tokens of a prompt that the model can hold, the boundary token first."""
        return [self.boundary, *self.tokenizer.encode(prompt).tolist()][
            -(self.max_positions or 999) :
        ]

    def hidden(self, windows):
        """What the decoder gives for all tokens of texts of one length, float64[B, T, D]."""
        lengths = tf.fill([len(windows)], len(windows[0]))
        return self.prefill(tf.constant(windows), lengths).numpy().astype(np.float64)

    def logits(self, hidden):
        """The decoder's predictions, float64[B, V]."""
        logits = self.generator.decoder.logits(tf.constant(hidden, tf.float32))
        return logits.numpy().astype(np.float64)


@pytest.fixture(scope="session")
def make_model():
    return TinyModel


@pytest.fixture(scope="session", params=["transformer", "lstm"])
def model(request):
    """A model of each architecture, of whose texts some end."""
    return TinyModel(request.param, CharacterTokenizer.learn(["\nabcdé。"]))
