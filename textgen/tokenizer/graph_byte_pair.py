"""Byte pair encoding as TensorFlow ops: all words of all texts at once, merge after merge."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.tokenizer.base import UNKNOWN
from textgen.tokenizer.byte_pair import FIRST_BYTE, FIRST_MERGE
from textgen.tokenizer.graph import GraphTokenizer
from textgen.tokenizer.words import BLANK, LETTER, MAX_CHARACTERS, OTHER, RANGES, SINGLE

_NO_MERGE = 2**31 - 1  # the rank of a pair that is never merged


class BytePairGraphTokenizer(GraphTokenizer):
    """The graph's half of `BytePairTokenizer`.

    Args:
        pairs: the ids that each merge joins, int64[M, 2], in the order of learning.
        pieces: the bytes of each id.
    """

    def __init__(self, pairs: np.ndarray, pieces: list[bytes]) -> None:
        super().__init__(pieces)
        # A pair is one number. Sorted, looking one up is a binary search; the last is
        # larger than all, so that a search ends at a number whatever it looks for.
        keys = np.append(pairs[:, 0] * len(pieces) + pairs[:, 1], np.iinfo(np.int64).max)
        self._ranks = np.argsort(keys).astype(np.int32)
        self._keys = keys[self._ranks]

    def encode(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        points = tf.strings.unicode_decode(texts, "UTF-8")
        starts = _word_starts(points)
        values = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8), tf.int32)
        # All but the first byte of a character are 10xxxxxx in binary.
        characters = _running_count(tf.not_equal(tf.bitwise.bitwise_and(values, 0xC0), 0x80)) - 1
        words = tf.gather(_running_count(starts) - 1, characters)
        tokens, words = self._merge(values + FIRST_BYTE, words)
        rows = tf.gather(tf.boolean_mask(points.value_rowids(), starts), words)
        ids = tf.RaggedTensor.from_value_rowids(tokens, rows, points.nrows(), validate=False)
        return ids.to_tensor(default_value=UNKNOWN), tf.cast(ids.row_lengths(), tf.int32)

    def _merge(self, tokens: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Merge the pairs of every word.

        One turn merges in every word the pair of the lowest rank, wherever it stands. This
        gives what merging one place after the other would give, because a pair with the new
        token in it was learned later and has a higher rank.

        Args:
            tokens: int32[N], the bytes of all words.
            words: int32[N], the number of each one's word, from 0 without a gap.

        Returns:
            The same for the merged tokens.
        """

        def turn(tokens, words, merged):
            ranks = self._pair_ranks(tokens, words)
            lowest = tf.gather(tf.math.segment_min(ranks, words), words)
            chosen = tf.equal(ranks, lowest) & (ranks < _NO_MERGE)
            # Of "aaa" the left "aa" is merged: in a row of chosen places every other one.
            chosen &= tf.equal(_distance(~chosen) % 2, 1)
            kept = ~tf.concat([[False], chosen[:-1]], 0)
            tokens = tf.where(chosen, FIRST_MERGE + ranks, tokens)
            merged = tf.reduce_any(chosen)
            return tf.boolean_mask(tokens, kept), tf.boolean_mask(words, kept), merged

        flat = tf.TensorShape([None])
        tokens, words, _ = tf.while_loop(
            lambda tokens, words, merged: merged,
            turn,
            (tokens, words, tf.size(tokens) > 0),
            shape_invariants=(flat, flat, tf.TensorShape([])),
        )
        return tokens, words

    def _pair_ranks(self, tokens: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Return the rank of each place's pair with the next, int32[N]."""
        wide = tf.cast(tokens, tf.int64)
        pairs = wide[:-1] * len(self._pieces) + wide[1:]
        keys = tf.constant(self._keys)
        index = tf.searchsorted(keys, pairs)
        known = tf.equal(tf.gather(keys, index), pairs) & tf.equal(words[:-1], words[1:])
        ranks = tf.where(known, tf.gather(tf.constant(self._ranks), index), _NO_MERGE)
        return tf.concat([ranks, [_NO_MERGE]], 0)


def _word_starts(points: tf.RaggedTensor) -> tf.Tensor:
    """Whether a word starts at a character; see `textgen.tokenizer.words`.

    Args:
        points: code points int32[B, (T)].

    Returns:
        bool[C] for all C characters of all rows.
    """
    first_points, kinds = np.array(RANGES, np.int32).T
    ranges = tf.searchsorted(tf.constant(first_points), points.flat_values, side="right") - 1
    here = tf.gather(tf.constant(kinds), ranges)
    rows = points.value_rowids()
    same_row = tf.equal(rows[1:], rows[:-1])
    # Beyond a row's ends stands a digit, as it were, which joins nothing.
    edge = tf.fill([tf.minimum(tf.size(here), 1)], SINGLE)
    before = tf.concat([edge, tf.where(same_row, here[:-1], SINGLE)], 0)
    after = tf.concat([tf.where(same_row, here[1:], SINGLE), edge], 0)

    def runs(kind):
        return tf.equal(kind, LETTER) | tf.equal(kind, OTHER)

    after_blank = tf.equal(before, BLANK)
    joins_run = runs(here) & (tf.equal(before, here) | after_blank)
    joins_blanks = tf.equal(here, BLANK) & after_blank & ~runs(after)
    return tf.equal(_distance(~(joins_run | joins_blanks)) % MAX_CHARACTERS, 0)


def _running_count(marks: tf.Tensor) -> tf.Tensor:
    """Return how many of bool[N] are true up to each place, it included, int32[N]."""
    return tf.cumsum(tf.cast(marks, tf.int32))


def _distance(marks: tf.Tensor) -> tf.Tensor:
    """Return how far each place is behind the last true one of bool[N], int32[N].

    Places before the first true one count from a true one at -1.
    """
    places = tf.concat([[-1], tf.cast(tf.where(marks)[:, 0], tf.int32)], 0)
    return tf.range(tf.size(marks)) - tf.gather(places, _running_count(marks))
