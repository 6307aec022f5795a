"""Stop strings are seen wherever a token completes them."""

import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.generation.stop_strings import StopStringMatcher

PIECES = st.lists(st.sampled_from(["a", "b", "ab", "ba", "", "字", "b字a", "aab"]), max_size=8)
STOPS = st.lists(st.sampled_from(["a", "ab", "bab", "字", "字a", "abab", ""]), max_size=3)


def watch(pieces, stops, max_overhang):
    """Feed pieces until one stops; return the text up to there, or None."""
    matcher = StopStringMatcher(
        tf.constant([[stop.encode() for stop in stops]], tf.string, shape=[1, len(stops)]),
        max_overhang,
    )
    tail = tf.constant([b""])
    text = b""
    for piece in pieces:
        text += piece.encode()
        tail, stopped, overhang = matcher.update(tail, tf.constant([piece.encode()]))
        if stopped.numpy()[0]:
            return text[: len(text) - overhang.numpy()[0]].decode()
    return None


@given(PIECES, STOPS)
@settings(max_examples=60)
def test_a_text_ends_with_the_first_stop_string_in_it(pieces, stops):
    text = "".join(pieces)
    ends = [text.index(stop) + len(stop) for stop in stops if stop and stop in text]
    wanted = text[: min(ends)] if ends else None
    assert watch(pieces, stops, max_overhang=5) == wanted


def test_tokens_of_one_character_have_no_overhang():
    assert watch(list("xabyab"), ["ab"], max_overhang=0) == "xab"


def test_rows_watch_for_their_own_strings():
    matcher = StopStringMatcher(tf.constant([["a", ""], ["b", "c"], ["", ""]]), 0)
    tail, stopped, _ = matcher.update(tf.constant(["", "", ""]), tf.constant(["c", "c", "c"]))
    assert stopped.numpy().tolist() == [False, True, False]
    _, stopped, _ = matcher.update(tail, tf.constant(["a", "a", "a"]))
    assert stopped.numpy().tolist() == [True, False, False]


def test_the_end_of_a_stop_string_alone_is_no_stop():
    # Nothing stands before the first token, whatever is kept of it.
    assert watch(["b"], ["ab"], max_overhang=3) is None
    assert watch(["", "b"], ["\0b"], max_overhang=0) is None
