"""The vocabulary as a tree of byte prefixes: which tokens begin with the bytes of other tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph import GraphConstant


class PrefixTree:
    """Every string that a longer token begins with is a node of the tree.

    Node 0 is the root, the empty string.

    Args:
        pieces: The bytes of each token, by id. Special tokens have none.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._vocab_size = len(pieces)
        order = sorted(filter(pieces.__getitem__, range(len(pieces))), key=pieces.__getitem__)
        # The tokens that begin with a string are adjacent in this order.
        ranks = np.full(len(pieces), -1, np.int32)
        ranks[order] = np.arange(len(order))
        nodes: dict[bytes, list[int]] = {b"": [0, 0]}
        for rank, token in enumerate(order):
            piece = pieces[token]
            for size in range(1, len(piece)):
                nodes.setdefault(piece[:size], [rank, rank])[1] = rank + 1
        ids = {pieces[token]: token for token in order}
        # The string itself comes first in its range, if it is a token.
        for string in nodes:
            if string in ids:
                nodes[string][0] = ranks[ids[string]]
        numbers = {string: number for number, string in enumerate(nodes)}
        self._rank = GraphConstant(ranks)
        self._ranges = GraphConstant(list(nodes.values()), tf.int32)
        self._exact = GraphConstant([ids.get(string, -1) for string in nodes], tf.int32)
        self._sizes = GraphConstant(list(map(len, nodes)), tf.int32)
        self._by_bytes = {space: numbers.get(space, 0) for space in (b" ", b"\t")}
        # Appending a token to a node gives a node: sorted pairs, one number each.
        edges = sorted(
            (numbers[string[:size]] * len(pieces) + ids[string[size:]], number)
            for string, number in numbers.items()
            for size in range(len(string))
            if string[size:] in ids
        )
        pairs = np.array(edges, np.int64).reshape(-1, 2)
        self._num_edges = len(edges)
        self._edges = GraphConstant(pairs[:, 0])
        self._targets = GraphConstant(pairs[:, 1], tf.int32)

    def append(self, nodes: tf.Tensor, token_ids: tf.Tensor) -> tf.Tensor:
        """Append a token to the string of each node.

        Args:
            nodes: int32[B], -1 if the string so far is no node.
            token_ids: int32[B].

        Returns:
            int32[B], the nodes of the longer strings; -1 if they are none.
        """
        if not self._num_edges:
            return tf.fill(tf.shape(nodes), -1)
        edges = tf.cast(nodes, tf.int64) * self._vocab_size + tf.cast(token_ids, tf.int64)
        known = self._edges()
        index = tf.minimum(tf.searchsorted(known, edges), self._num_edges - 1)
        is_edge = tf.equal(tf.gather(known, index), edges) & (nodes >= 0)
        targets = tf.gather(self._targets(), index)
        return tf.where(is_edge, targets, -1)

    def space_at_end(self, texts: tf.Tensor) -> tf.Tensor:
        """Return the node of the space or tab that each text ends with, int32[B]; 0 if none."""
        ends = tf.maximum(tf.strings.length(texts) - 1, 0)
        last = tf.strings.substr(texts, ends, tf.fill(tf.shape(ends), 1))
        found = tf.zeros(tf.shape(texts), tf.int32)
        for space, node in self._by_bytes.items():
            found = tf.where(tf.equal(last, space), node, found)
        return found

    def tokens_from(self, nodes: tf.Tensor) -> tf.Tensor:
        """Return which tokens begin with the string of each node, bool[..., V]."""
        first, end = tf.unstack(tf.gather(self._ranges(), nodes)[..., None, :], axis=-1)
        rank = self._rank()
        return (rank >= first) & (rank < end)

    def token_of(self, nodes: tf.Tensor) -> tf.Tensor:
        """Return the token whose bytes are the string of each node; -1 if there is none."""
        return tf.gather(self._exact(), nodes)

    def size_of(self, nodes: tf.Tensor) -> tf.Tensor:
        """Return the number of bytes of each node's string, int32."""
        return tf.gather(self._sizes(), nodes)
