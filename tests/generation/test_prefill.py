"""A prompt of any length is processed in chunks, and time that is over skips to its end."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.config import ModelConfig
from textgen.generation import Generator, default_inputs, scoring
from textgen.generation.prefill import CHUNK, prefill
from textgen.generation.scoring import score
from textgen.models import build_model
from textgen.tokenizer import CharacterTokenizer

TOKENIZER = CharacterTokenizer.learn(["\nabcdé。"])
LONG = 2 * CHUNK + 5
NEVER = tf.fill([3], tf.constant(float("inf"), tf.float64))
IDS = np.random.default_rng(0).integers(3, TOKENIZER.vocab_size, (3, LONG)).astype(np.int32)
LENGTHS = np.array([LONG, CHUNK + 1, 0], np.int32)


@pytest.fixture(scope="module")
def model():
    config = ModelConfig("lstm", num_layers=2, hidden_dim=16, context_length=LONG + 1)
    model = build_model(config, TOKENIZER.vocab_size)
    noise = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(noise.normal(0, 0.5, variable.shape))
    return model


@pytest.fixture(scope="module")
def decoder(model):
    return model.decoder().snapshot()


def test_chunks_give_the_state_and_the_hidden_vectors_of_the_whole(decoder):
    hidden, whole = decoder.prefill(IDS, LENGTHS)
    last, state = prefill(decoder, tf.constant(IDS), tf.constant(LENGTHS), NEVER, num_hidden=7)
    for tensor, expected in zip(state, whole, strict=True):
        np.testing.assert_allclose(tensor, expected, atol=1e-6)
    for row in range(2):
        newest = hidden[row, LENGTHS[row] - 7 : LENGTHS[row]]
        np.testing.assert_allclose(last[row], newest, atol=1e-6)
    np.testing.assert_array_equal(last[2], np.zeros((7, 16)))


def test_a_late_row_skips_to_its_last_tokens_and_no_other_row_does(decoder):
    deadline = tf.constant([0.0, float("inf"), 0.0], tf.float64)
    _, state = prefill(decoder, tf.constant(IDS), tf.constant(LENGTHS), deadline)
    skipped = np.concatenate([IDS[:1, :CHUNK], IDS[:1, -CHUNK:]], 1)
    _, expected = decoder.prefill(skipped, np.array([2 * CHUNK], np.int32))
    _, whole = decoder.prefill(IDS, LENGTHS)
    for tensor, late, punctual in zip(state, expected, whole, strict=True):
        np.testing.assert_allclose(tensor[0], late[0], atol=1e-6)
        np.testing.assert_allclose(tensor[1:], punctual[1:], atol=1e-6)


def test_a_text_has_a_token_although_its_time_is_over_while_the_prompt_is_read(model, monkeypatch):
    generator = Generator.of_model(model, TOKENIZER, has_documents=False)
    looks = tf.Variable(0.0, dtype=tf.float64)
    monkeypatch.setattr(tf, "timestamp", lambda: looks.assign_add(1.0))
    asked = {"max_new_tokens": tf.constant([500]), "max_time": tf.constant([0.5])}
    output = generator.generate(tf.constant(["abcd" * CHUNK]), {**default_inputs(), **asked})
    assert output.finish_reason.numpy().tolist() == [b"time"]
    assert 1 <= output.num_tokens.numpy()[0] < 500
    # The prompt has four chunks. The time is over after the first, so that the last one follows.
    # The clock is read for the request, after each of these two, and before both blocks of the
    # loop, the first of which generates tokens all the same.
    assert looks.numpy() == 5


@pytest.mark.parametrize("max_logits", [2**25, 100])
def test_the_scores_of_chunks_are_those_of_the_full_pass(model, decoder, monkeypatch, max_logits):
    monkeypatch.setattr(scoring, "_MAX_LOGITS", max_logits)
    lengths = tf.constant([LONG, CHUNK + 1, 1])
    scored = score(decoder, tf.constant(IDS), lengths)
    logprobs = tf.nn.log_softmax(model(IDS)).numpy()
    own = np.take_along_axis(logprobs[:, :-1], IDS[:, 1:, None], 2)[..., 0]
    for row, length in enumerate(lengths.numpy()):
        np.testing.assert_allclose(
            scored.logprobs[row, : length - 1], own[row, : length - 1], atol=1e-4
        )
        assert not scored.logprobs[row, length - 1 :].numpy().any()
