"""Guesses come from what followed the same tokens in the corpus, at the number's quantile."""

import numpy as np
import tensorflow as tf

from textgen.generation.draft_table import Drafter, DraftTable

PERIOD = np.array([3, 1, 4, 1, 5, 9, 2, 6], np.uint16)


def test_a_text_that_repeats_is_guessed_token_by_token():
    table = DraftTable.learn(np.tile(PERIOD, 50), np.tile(PERIOD, 10), vocab_size=10)
    recent = tf.constant([3, 1, 4, 1, 5], tf.int32)
    drafts = Drafter(table).draft(recent, tf.constant([0.1, 0.5, 0.9]))
    np.testing.assert_array_equal(drafts, [9, 2, 6])


def test_noise_and_short_texts_are_not_guessed():
    noise = np.random.default_rng(0).integers(0, 100, 5_000).astype(np.uint16)
    assert DraftTable.learn(noise, noise[::-1], vocab_size=100) is None
    assert DraftTable.learn(PERIOD, PERIOD, vocab_size=10) is None
    assert DraftTable.learn(np.tile(PERIOD, 50), PERIOD[:0], vocab_size=10) is None


def test_the_number_chooses_among_the_tokens_that_followed_in_their_order():
    # After two zeros come 1 and 2, one as often as the other.
    tokens = np.tile(np.array([0, 0, 1, 0, 0, 2], np.uint16), 50)
    drafter = Drafter(DraftTable.of_order(2, tokens, vocab_size=300))
    recent = tf.constant([-1, 7, 0, 0], tf.int32)
    guesses = [drafter.draft(recent, tf.constant([u])).numpy()[0] for u in (0.0, 0.45, 0.55, 0.99)]
    assert guesses == [1, 1, 2, 2]


def test_past_guesses_are_those_that_would_have_been_drafted():
    generator = np.random.default_rng(3)
    tokens = generator.integers(0, 4, 400).astype(np.uint16)
    drafter = Drafter(DraftTable.of_order(3, tokens, vocab_size=4))
    text = tf.constant(generator.integers(0, 4, 12), tf.int32)
    numbers = tf.constant(generator.random(9), tf.float32)
    drafted = [
        drafter.draft(text[: 3 + i], numbers[i : i + 1]).numpy()[0] == text[3 + i].numpy()
        for i in range(9)
    ]
    np.testing.assert_array_equal(drafter.are_right(text, numbers), drafted)
    assert 0 < sum(drafted) < 9
