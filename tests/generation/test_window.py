"""Room for the next tokens: a batch treats each row as it would be treated alone."""

import numpy as np
import pytest
import tensorflow as tf

from tests.generation.conftest import CONTEXT, TinyModel
from textgen.generation.window import make_room
from textgen.tokenizer import CharacterTokenizer

HALF = CONTEXT // 2


@pytest.fixture(scope="module")
def decoder():
    return TinyModel("transformer", CharacterTokenizer(list("abcdef"))).generator.decoder


@pytest.fixture
def batch(decoder):
    """A state of four rows, and what they hold: two are full, and one that is full has ended."""
    tokens = np.random.default_rng(0).integers(3, decoder.vocab_size, (4, CONTEXT), np.int32)
    position = np.array([CONTEXT, HALF + 1, CONTEXT, CONTEXT], np.int32)
    _, state = decoder.prefill(tf.constant(tokens), tf.constant(position))
    return state, position, np.array([True, True, False, True]), tokens


def test_rows_are_those_of_batches_of_one(decoder, batch):
    state, *parts = batch
    position, new, hidden = make_room(decoder, state, *map(tf.constant, parts))
    assert position.numpy().tolist() == [HALF - 1, HALF + 1, CONTEXT, HALF - 1]
    for row in range(4):
        alone = [tf.constant(part[row : row + 1]) for part in parts]
        _, wanted, vectors = make_room(decoder, decoder.take_rows(state, [row]), *alone)
        for ours, theirs in zip(decoder.take_rows(new, [row]), wanted, strict=True):
            held = np.s_[:, :, : position[row]]
            np.testing.assert_allclose(ours[held], theirs[held], atol=1e-5)
        if position[row] == HALF - 1:
            np.testing.assert_allclose(hidden[row], vectors[0], atol=1e-5)


def test_only_full_rows_are_processed_again(decoder, batch, monkeypatch):
    state, *parts = batch
    processed, prefill = [], decoder.prefill

    def count(token_ids, lengths):
        processed.append(token_ids.numpy().tolist())
        return prefill(token_ids, lengths)

    monkeypatch.setattr(decoder, "prefill", count)
    make_room(decoder, state, *map(tf.constant, parts))
    assert processed == [parts[2][[0, 3], -HALF:].tolist()]
