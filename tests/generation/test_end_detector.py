"""Texts end at the EOS token, a stop string or their maximum length."""

import numpy as np
import pytest
import tensorflow as tf

from textgen.generation.bias import BiasMaker
from textgen.generation.end_detector import EndDetector
from textgen.generation.outputs import ERROR, FINISH_REASONS, LENGTH, RUNNING, STOP
from textgen.generation.state import NO_TOKEN
from textgen.tokenizer import BytePairTokenizer, PublishedTokenizer, SpecialTokens
from textgen.tokenizer.character_classes import CharacterClasses

_BIAS_TYPES = (tf.string, tf.float32, tf.string)

TOKENIZER = BytePairTokenizer.learn(["abc abc abc abc "] * 9, vocab_size=270)
(WORD,) = TOKENIZER.encode(" abc").tolist()


@pytest.fixture(scope="module")
def tokenizer():
    return TOKENIZER.in_graph()


def test_bytes_after_a_stop_string_in_the_last_token_are_removed(tokenizer):
    ends = EndDetector(tokenizer, tf.constant([["a"]] * 3), tf.constant([9] * 3))
    token_ids = tf.constant([[WORD] * 2, [WORD, NO_TOKEN], [NO_TOKEN] * 2])
    finish = tf.constant([STOP, LENGTH, LENGTH])
    texts = ends.texts(token_ids, tf.constant([2, 0, 0]), finish)
    assert texts["text_bytes"].numpy().tolist() == [b" abc a", b" abc", b""]
    assert texts["num_tokens"].numpy().tolist() == [2, 1, 0]
    reasons = [FINISH_REASONS[reason].encode() for reason in finish.numpy()]
    assert texts["finish_reason"].numpy().tolist() == reasons


@pytest.mark.parametrize(
    ("token", "stop", "limit", "minimum", "finish", "is_text", "overhang"),
    [
        (WORD, "", 9, 0, RUNNING, True, 0),
        (WORD, "", 1, 0, LENGTH, True, 0),
        (WORD, "a", 9, 0, STOP, True, 2),
        (WORD, "a", 1, 0, STOP, True, 2),
        (WORD, "a", 9, 2, RUNNING, True, 0),
        (TOKENIZER.special.eos, "", 9, 0, STOP, False, 0),
        (-1, "a", 9, 0, ERROR, False, 0),
    ],
    ids=["goes on", "length", "stop", "stop at the length", "too short", "eos", "no token"],
)
def test_a_token_may_end_a_text(tokenizer, token, stop, limit, minimum, finish, is_text, overhang):
    ends = EndDetector(
        tokenizer, tf.constant([[stop]]), tf.constant([limit]), tf.constant([minimum])
    )
    progress, belongs = ends.advance(ends.start(), tf.constant([token]))
    assert progress.finish.numpy().tolist() == [finish]
    assert progress.overhang.numpy().tolist() == [overhang]
    assert progress.count.numpy().tolist() == [int(is_text)]
    assert belongs.numpy().tolist() == [is_text]


def test_each_of_several_eos_tokens_ends_a_text():
    pieces = [b"", b"", b"", *(bytes([byte]) for byte in range(256))]
    special = SpecialTokens(unknown=1, bos=1, eos=1)
    classes = CharacterClasses((), (), (), ())
    published = PublishedTokenizer(pieces, [], "gpt2", classes, special, {}).with_eos(2)
    ends = EndDetector(published.in_graph(), tf.constant([[""]] * 4), tf.constant([9] * 4))
    progress, is_text = ends.advance(ends.start(), tf.constant([0, 1, 2, 3]))
    assert progress.finish.numpy().tolist() == [RUNNING, STOP, STOP, RUNNING]
    assert is_text.numpy().tolist() == [True, False, False, True]
    bias = BiasMaker(published.in_graph(), len(pieces), has_documents=True)
    may_be_sampled = bias(*(tf.zeros([1, 0], kind) for kind in _BIAS_TYPES))[0] == 0
    assert may_be_sampled.numpy()[:4].tolist() == [False, True, True, True]


def test_a_table_says_how_each_token_leaves_a_text(tokenizer):
    size = tokenizer.special.eos + 2
    ends = EndDetector(tokenizer, tf.constant([[""]] * (1 + size)), tf.fill([1 + size], 9))
    expected, _ = ends.advance(ends.start(), tf.range(-1, size))
    assert expected.finish.numpy().tolist()[0] == ERROR
    np.testing.assert_array_equal(ends.finish_after_each(size), expected.finish)


def test_a_finished_text_stays_as_it_is(tokenizer):
    ends = EndDetector(tokenizer, tf.constant([["a"]]), tf.constant([2]))
    stopped, _ = ends.advance(ends.start(), tf.constant([WORD]))
    later, belongs = ends.advance(stopped, tf.constant([WORD]))
    assert later[:2] == stopped[:2]
    assert later.overhang == stopped.overhang
    assert not belongs.numpy().any()


def test_no_token_is_asked_for(tokenizer):
    ends = EndDetector(tokenizer, tf.constant([[""]]), tf.constant([0]))
    assert ends.start().finish.numpy().tolist() == [LENGTH]
