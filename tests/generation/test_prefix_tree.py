"""The prefix tree knows which tokens begin with which bytes."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.generation.prefix_tree import PrefixTree

PIECES = st.lists(
    st.text("ab ", min_size=1, max_size=4).map(str.encode), min_size=1, max_size=12, unique=True
).map(lambda pieces: [b"", b"", b"", *pieces])


@given(PIECES, st.data())
@settings(max_examples=60)
def test_tokens_are_found_by_the_bytes_of_other_tokens(pieces, data):
    tree = PrefixTree(pieces)
    path = data.draw(st.lists(st.integers(3, len(pieces) - 1), min_size=1, max_size=3))
    node = tf.constant([0])
    for token in path:
        node = tree.append(node, tf.constant([token]))
    string = b"".join(pieces[token] for token in path)
    begins = [piece.startswith(string) for piece in pieces]
    has_longer = any(b and piece != string for b, piece in zip(begins, pieces, strict=True))
    # Only strings that a longer token begins with are nodes.
    assert (node.numpy()[0] > 0) == has_longer
    if has_longer:
        assert tree.tokens_from(node).numpy()[0].tolist() == begins
        exact = pieces.index(string) if string in pieces else -1
        assert tree.token_of(node).numpy().tolist() == [exact]
        assert tree.size_of(node).numpy().tolist() == [len(string)]


def test_a_text_ends_with_a_space_or_a_tab():
    tree = PrefixTree([b"", b" ", b" a", b"\t", b"b"])
    nodes = tree.space_at_end(tf.constant(["x ", "  ", "x", "", "\t", "x\n", "é"])).numpy()
    space = tree.append(tf.constant([0]), tf.constant([1])).numpy()[0]
    # No token is longer than the tab.
    assert nodes.tolist() == [space, space, 0, 0, 0, 0, 0]
    assert space > 0


def test_the_root_has_no_tokens():
    tree = PrefixTree([b"", b"a", b"ab"])
    assert not np.any(tree.tokens_from(tf.constant([0])))
