"""Special tokens in texts, as TensorFlow ops: the texts of tokens that stand for no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.runs import reached
from textgen.tokenizer.token_ids import TEXT_MARK

# In the table of texts: matches any character. In place of a character: matches none.
_ANY, _NONE = -1, -2


class Marked(NamedTuple):
    """What is special about the characters of texts.

    Attributes:
        token: int32[C], the special token that begins at each character, -1 if none does.
        is_left_out: bool[C], whether a character belongs to no token: the further characters of
            special tokens, and marks.
    """

    token: tf.Tensor
    is_left_out: tf.Tensor


class SpecialFinder:
    """Finds special tokens: the leftmost first, and of several there the longest.

    Args:
        texts: The text of each special token, by id.
    """

    def __init__(self, texts: Mapping[int, str]) -> None:
        longest_first = sorted(texts.items(), key=lambda item: -len(item[1]))
        self._ids = np.array([token for token, _ in longest_first], np.int32)
        self._sizes = np.array([len(text) for _, text in longest_first], np.int32)
        self._table = np.full((len(texts), max(self._sizes)), _ANY, np.int32)
        for row, (_, text) in zip(self._table, longest_first, strict=True):
            row[: len(text)] = [*map(ord, text)]
        self._firsts = np.unique(self._table[:, 0])

    def __call__(self, points: tf.RaggedTensor, is_wanted: tf.Tensor) -> Marked:
        """Find the special tokens of some texts.

        Args:
            points: Code points, int32[B, (T)].
            is_wanted: bool[B], the texts to search. In others nothing is special.
        """
        flat, rows = points.flat_values, points.value_rowids()
        is_searched = tf.gather(is_wanted, rows)
        begins = tf.reduce_any(tf.equal(flat[:, None], self._firsts), 1) & is_searched
        starts = tf.cast(tf.where(begins)[:, 0], tf.int32)
        columns = starts[:, None] + tf.range(self._table.shape[1])
        size = tf.size(flat)
        columns, is_beyond = tf.minimum(columns, size - 1), columns >= size
        in_row = tf.equal(tf.gather(rows, columns), tf.gather(rows, starts)[:, None])
        found = tf.where(in_row & ~is_beyond, tf.gather(flat, columns), _NONE)[:, None]
        matches = tf.reduce_all(tf.equal(found, self._table) | (self._table == _ANY), 2)
        is_match = tf.reduce_any(matches, 1)
        which = tf.boolean_mask(tf.argmax(tf.cast(matches, tf.int32), 1), is_match)
        starts = tf.boolean_mask(starts, is_match)
        starts, ends, tokens = _without_overlaps(
            starts, starts + tf.gather(self._sizes, which), tf.gather(self._ids, which)
        )
        token = tf.tensor_scatter_nd_update(tf.fill([size], -1), starts[:, None], tokens)
        # +1 at the beginning of a token, -1 after its end.
        edges = tf.concat([starts, ends], 0)[:, None]
        steps = tf.concat([tf.ones_like(starts), -tf.ones_like(ends)], 0)
        is_inside = tf.cumsum(tf.scatter_nd(edges, steps, [size + 1]))[:-1] > 0
        is_mark = tf.equal(flat, ord(TEXT_MARK)) & is_searched
        return Marked(token, is_mark | (is_inside & (token < 0)))


def _without_overlaps(starts, ends, tokens):
    """Leave out what begins before the end of what is kept, from left to right."""
    nexts = tf.concat([tf.searchsorted(starts, ends), [tf.size(starts)]], 0)
    is_first = tf.equal(tf.range(tf.size(nexts)), 0)
    kept = reached(is_first, nexts)[:-1]
    return tuple(tf.boolean_mask(values, kept) for values in (starts, ends, tokens))
