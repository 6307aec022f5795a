"""A lexicon returns what encoding each word from scratch would."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textgen.tokenizer import lexicon
from textgen.tokenizer.lexicon import Lexicon


def code_points(words):
    return [[*map(ord, word)] for word in words]


@given(st.lists(st.lists(st.text("ab☃", max_size=3))))
def test_ids_are_in_the_order_of_the_words(calls):
    book = Lexicon(code_points)
    for words in calls:
        ids, lengths = book.look_up(words)
        assert ids.tolist() == [*map(ord, "".join(words))]
        assert lengths.tolist() == [*map(len, words)]


def test_a_word_is_encoded_once():
    asked = []
    book = Lexicon(lambda words: asked.extend(words) or code_points(words))
    book.look_up(["to", "be", "to"])
    book.look_up(["be", "not"])
    assert asked == ["to", "be", "not"]


def test_it_forgets_instead_of_growing_without_end(monkeypatch):
    monkeypatch.setattr(lexicon, "_MAX_WORDS", 3)
    asked = []
    book = Lexicon(lambda words: asked.extend(words) or code_points(words))
    for words in (["a", "b"], ["c", "d"], ["a"]):
        np.testing.assert_array_equal(book.look_up(words)[0], [*map(ord, "".join(words))])
    assert asked == ["a", "b", "c", "d", "a"]
