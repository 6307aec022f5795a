"""Drafts change no text."""

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import decode_graph
from textgen.config import ModelConfig
from textgen.generation import Generator, default_inputs
from textgen.generation.draft_table import DraftTable
from textgen.models import build_model
from textgen.models.transformer.decoder import TransformerDecoder
from textgen.tokenizer import CharacterTokenizer

CONTEXT = 48
TOKENIZER = CharacterTokenizer.learn(["\nabcdefgh"])
WRONG = DraftTable(2, np.zeros((2**16, 16), np.uint8))


def make_generator(table=None):
    config = ModelConfig(
        "transformer", num_layers=1, num_heads=2, hidden_dim=16, context_length=CONTEXT
    )
    model = build_model(config, TOKENIZER.vocab_size)
    noise = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.5, variable.shape))
    generator = Generator.of_model(model, TOKENIZER, has_documents=True, heals=False)
    generator.drafts = table
    return generator


@pytest.fixture(scope="module")
def plain():
    """Return a function that generates without drafts."""
    return decode_graph(make_generator())


@pytest.fixture(scope="module")
def drafts(plain):
    """Return a table of what the model itself has generated."""
    texts = plain(*inputs(300, 0.8, range(8), ["ab"] * 8)).token_ids.numpy()
    return DraftTable.of_order(2, texts[texts >= 0], TOKENIZER.vocab_size)


@pytest.fixture(scope="module")
def drafted(drafts):
    """Return a function that generates with drafts."""
    return decode_graph(make_generator(drafts))


def inputs(n, temperature, seed, prompts=("ab",), **controls):
    given = {"max_new_tokens": n, "temperature": temperature, "seed": seed, **controls}
    arrays = {
        name: np.atleast_1d(np.asarray(value, default_inputs()[name].dtype))
        for name, value in given.items()
    }
    tensors = {
        name: tf.constant(array, tf.string if array.dtype == object else None)
        for name, array in {**default_inputs(), **arrays}.items()
    }
    return tf.constant(prompts, tf.string, shape=[len(prompts)]), tensors


def same(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_texts_are_those_without_drafts(plain, drafted):
    for seed in range(20):
        for temperature in (0.0, 0.8, 1.5):
            # Past the context, where the newest half is read again.
            asked = inputs(2 * CONTEXT + seed, temperature, seed)
            same(plain(*asked), drafted(*asked))


def test_batches_and_texts_with_other_controls_are_the_same(plain, drafted):
    for asked in (
        inputs(40, 0.8, [1, 2, 3], prompts=["a", "", "abcabc"]),
        inputs(40, 0.8, 1, top_k=3),
        inputs(40, 0.8, 1, min_new_tokens=5),
        inputs(40, 0.8, 1, logprobs=2),
        inputs(40, 0.8, 1, prompts=[]),
        inputs(40, 0.8, 1, max_time=1000.0),
        inputs(0, 0.8, 1),
    ):
        same(plain(*asked), drafted(*asked))


def test_a_stream_is_the_text_of_one_call(drafted, drafts):
    generator = make_generator(drafts)
    prompts, tensors = inputs(40, 0.8, 5)
    request = generator.request(prompts, tensors)
    state, tokens = generator.prefill(prompts, request), []
    for size in (1, 2, 4, 8, 3, 32):
        output, state = generator.decode(state, request, tf.fill([1], size))
        tokens += output.token_ids[0].numpy().tolist()
    assert tokens == drafted(prompts, tensors).token_ids[0].numpy().tolist()


def test_drafts_are_used_if_they_are_right_and_not_if_they_are_wrong(monkeypatch, plain, drafts):
    passes, extend = tf.Variable(0), TransformerDecoder.extend

    def counted(self, *arguments):
        with tf.control_dependencies([passes.assign_add(1)]):
            return extend(self, *arguments)

    monkeypatch.setattr(TransformerDecoder, "extend", counted)
    asked, counts = inputs(40, 0.8, 3, min_new_tokens=0), []
    for table in (drafts, WRONG):
        passes.assign(0)
        same(plain(*asked), decode_graph(make_generator(table))(*asked))
        counts.append(int(passes))
    assert 4 < counts[0] < 25
    assert 0 < counts[1] <= 5  # in the first 8 tokens, of which the last three have no room


def test_only_a_model_that_gains_from_drafts_learns_them():
    decoder, text = make_generator().decoder, np.tile(np.arange(3, 9, dtype=np.uint16), 100)
    assert DraftTable.for_decoder(decoder, 10**6, text, text) is None
    assert DraftTable.for_decoder(decoder, 10**7, text, text) is not None
