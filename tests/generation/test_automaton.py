"""The graph follows automata as the host does."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from textgen.constraints.automaton import DEAD
from textgen.constraints.encoding import encode_automaton
from textgen.constraints.patterns import match_pattern
from textgen.constraints.phrases import avoid_phrases
from textgen.constraints.vocabulary import TokenWalk
from textgen.generation.automaton import AutomatonFollower
from textgen.generation.token_bytes import HEAD, NO_BYTE, TokenBytes

EOS = 0
PIECES = [b"", b"a", b"b", b"ab", "字".encode(), b"ba" * HEAD, b"c" + b"ab" * 40, b"a" * HEAD]


def test_the_bytes_of_tokens_are_all_there():
    tables = TokenBytes(PIECES)
    token = tf.range(len(PIECES))
    values = np.concatenate([tables.head(token), tables.tail(token)], axis=1)
    for piece, row in zip(PIECES, values, strict=True):
        assert bytes(row[row != NO_BYTE].tolist()) == piece
    assert tables.has_tail(tf.constant([1, 5]))
    assert not tables.has_tail(tf.constant([1, 7]))


@pytest.mark.parametrize("skipped", [None, 1])
def test_rows_follow_their_automata_as_the_host_does(skipped):
    automata = [avoid_phrases(["aba", "cab"]), match_pattern("(ab|字b?|c)+"), avoid_phrases(["aa"])]
    usable = np.ones(len(PIECES), bool)
    encoded = [
        encode_automaton(each, TokenWalk(PIECES).distances(each, usable, True)) for each in automata
    ]
    rows = [(i, state) for i, each in enumerate(automata) for state in range(len(each.table))]
    tokenizer = SimpleNamespace(all_pieces=PIECES, is_eos=lambda token: token == EOS)
    follower = AutomatonFollower(
        tf.constant([encoded[i].content for i, _ in rows]), tf.constant(len(rows)), tokenizer
    )
    names = tf.constant([int(encoded[i].names[state]) for i, state in rows])
    remaining = tf.fill([len(rows)], 50)
    skips = None if skipped is None else tf.fill([len(rows)], skipped)
    allowed = follower.allowed(names, remaining, skips).numpy()
    for token, piece in enumerate(PIECES):
        after, is_valid = follower.advance(names, tf.fill([len(rows)], token), remaining, skips)
        for row, (i, state) in enumerate(rows):
            expected = automata[i].run(piece[skipped or 0 :], state)
            assert after[row] == encoded[i].names[expected]
            assert expected != DEAD or not is_valid[row]
        np.testing.assert_array_equal(allowed[:, token], is_valid)
