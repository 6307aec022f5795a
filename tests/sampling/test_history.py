"""What a row has said, against plain loops."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from textgen.sampling.history import count_tokens, longest_per_token, newest, repeat_lengths

histories = st.lists(st.integers(0, 2), max_size=12).map(lambda ids: [-1] * (12 - len(ids)) + ids)


def test_the_newest_tokens_stay_each_row_its_own_number():
    history = tf.constant([[-1, 5, 6, 7]] * 6)
    got = newest(history, tf.constant([0, 1, 2, 4, 9, -1]))
    whole = [-1, 5, 6, 7]
    expected = [[-1] * 4, [-1, -1, -1, 7], [-1, -1, 6, 7], whole, whole, whole]
    assert got.numpy().tolist() == expected


def test_tokens_are_counted_row_by_row():
    history = tf.constant([[-1, 0, 3, 3], [-1, -1, -1, -1], [2, 2, 2, 2]])
    counts = count_tokens(history, 5).numpy()
    assert counts.tolist() == [[1, 0, 0, 2, 0], [0, 0, 0, 0, 0], [0, 0, 4, 0, 0]]


def test_the_longest_of_each_token_is_found():
    history = tf.constant([[-1, 0, 2, 0], [1, 1, 1, 1]])
    longest = longest_per_token(history, tf.constant([[9, 1, 2, 3], [0, 4, 1, 1]]), 3).numpy()
    lowest = tf.int32.min
    assert longest.tolist() == [[3, lowest, 2], [lowest, 4, lowest]]


def lengths_by_loops(history, ends, limit):
    size = len(history)
    lengths = [0] * size
    for position in range(size):
        n = 0
        while (
            n < limit
            and n < position
            and history[position - 1 - n] == history[size - 1 - n] != -1
            and not ends[size - 1 - n]
        ):
            n += 1
        lengths[position] = n
    return lengths


def test_the_example_of_the_documentation():
    history = np.array([["abcy".index(c) for c in "abccbcyabc"]], np.int32)
    lengths = repeat_lengths(history, history < 0, tf.constant([10]))
    assert lengths.numpy().tolist() == [[0, 0, 0, 3, 1, 0, 2, 0, 0, 0]]


@given(st.lists(st.tuples(histories, st.integers(0, 14)), min_size=1, max_size=3), st.data())
def test_lengths_of_repeats_are_those_of_plain_loops(rows, data):
    history = np.array([row[0] for row in rows], np.int32)
    limit = [row[1] for row in rows]
    breaker = data.draw(st.integers(0, 9))  # mostly a token that does not occur
    ends = history == breaker
    got = repeat_lengths(tf.constant(history), tf.constant(ends), tf.constant(limit))
    assert got.numpy().tolist() == list(
        map(lengths_by_loops, history.tolist(), ends.tolist(), limit)
    )


def test_an_empty_history_repeats_nothing():
    history = tf.zeros([2, 0], tf.int32)
    assert repeat_lengths(history, history < 0, tf.constant([3, 0])).shape == (2, 0)
    assert count_tokens(history, 3).numpy().tolist() == [[0, 0, 0]] * 2
