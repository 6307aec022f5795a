"""Texts end where their tokens do, but for what follows a stop string."""

import tensorflow as tf

from textgen.generation.records import FINISH_REASONS, LENGTH, NO_TOKEN, STOP
from textgen.generation.texts import make_texts
from textgen.tokenizer import BytePairTokenizer


def test_what_follows_a_stop_string_in_the_last_token_is_cut():
    tokenizer = BytePairTokenizer.learn(["abc abc abc abc "] * 9, vocab_size=270)
    word = tokenizer.encode(" abc").tolist()
    assert len(word) == 1
    token_ids = tf.constant([word * 2, [*word, NO_TOKEN], [NO_TOKEN] * 2])
    finish = tf.constant([STOP, LENGTH, LENGTH])
    texts = make_texts(tokenizer.in_graph(), token_ids, tf.constant([2, 0, 0]), finish)
    assert texts["text_bytes"].numpy().tolist() == [b" abc a", b" abc", b""]
    assert texts["num_tokens"].numpy().tolist() == [2, 1, 0]
    reasons = [FINISH_REASONS[reason].encode() for reason in finish.numpy()]
    assert texts["finish_reason"].numpy().tolist() == reasons
