"""BPE as TensorFlow ops: all words of all texts at once, merge after merge."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.graph_tokenizer import GraphTokenizer
from textgen.tokenizer.graph.runs import distance_from_last, running_count
from textgen.tokenizer.token_ids import SpecialTokens

# The rank of a pair that is never merged.
_NO_MERGE = 2**31 - 1


WordStarts = Callable[[tf.RaggedTensor], tf.Tensor]


class Merges(NamedTuple):
    """How bytes become tokens.

    Attributes:
        bytes: The id of each byte, int32[256].
        merges: The ids that each merge joins, and the id of what it makes, int64[M, 3], in the
            order in which they apply.
    """

    bytes: np.ndarray
    merges: np.ndarray


class BytePairGraphTokenizer(GraphTokenizer):
    """The graph's half of `ByteLevelTokenizer`.

    Args:
        merges: How bytes become tokens.
        word_starts: Returns whether a word starts at each of some characters, bool[C] for
            int32[B, (T)] with C code points.
        pieces: The bytes of each token, by id.
        special: Ids of the special tokens.
    """

    def __init__(
        self,
        merges: Merges,
        word_starts: WordStarts,
        pieces: list[bytes],
        special: SpecialTokens,
    ) -> None:
        super().__init__(pieces, special)
        self._bytes = merges.bytes
        self._word_starts = word_starts
        lefts, rights, made = merges.merges.T
        # What each merge makes, and an entry for merges that do not exist.
        self._made = np.append(made, 0).astype(np.int32)
        # A pair is one number, and a lookup is a binary search. The last number is larger than
        # any pair, so that every search ends at a number.
        keys = np.append(lefts * len(pieces) + rights, np.iinfo(np.int64).max)
        self._ranks = np.argsort(keys).astype(np.int32)
        self._keys = keys[self._ranks]
        self._is_early = np.append(_is_early(merges.merges), False)

    def encode(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        points = tf.strings.unicode_decode(texts, "UTF-8")
        starts = self._word_starts(points)
        values = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8), tf.int32)
        # In UTF-8 all bytes of a character but the first are 10xxxxxx.
        characters = running_count(tf.not_equal(tf.bitwise.bitwise_and(values, 0xC0), 0x80)) - 1
        words = tf.gather(running_count(starts) - 1, characters)
        tokens, words = self._merge(tf.gather(self._bytes, values), words)
        rows = tf.gather(tf.boolean_mask(points.value_rowids(), starts), words)
        ids = tf.RaggedTensor.from_value_rowids(tokens, rows, points.nrows(), validate=False)
        return ids.to_tensor(default_value=self.special.unknown), tf.cast(
            ids.row_lengths(), tf.int32
        )

    def _merge(self, tokens: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Merge the pairs of every word.

        One iteration merges the pair of the lowest rank everywhere in every word. The result
        equals merging one position at a time, if a pair that contains the new token has a higher
        rank. Where a vocabulary has an exception, only the leftmost pair of a word is merged.

        Args:
            tokens: int32[N], the bytes of all words as token ids.
            words: int32[N], the number of each token's word, from 0 without gaps.

        Returns:
            The same for the merged tokens.
        """

        def merge_lowest(tokens, words, merged):
            ranks = self._pair_ranks(tokens, words)
            lowest = tf.gather(tf.math.segment_min(ranks, words), words)
            chosen = tf.equal(ranks, lowest) & (ranks < _NO_MERGE)
            # "aaa" merges its left "aa": of adjacent chosen positions every other one counts.
            chosen &= tf.equal(distance_from_last(~chosen) % 2, 1)
            if self._is_early.any():
                is_late = ~tf.gather(self._is_early, tf.where(chosen, ranks, len(self._made) - 1))
                chosen &= is_late | _is_first_in(words, chosen)
            kept = ~tf.concat([[False], chosen[:-1]], 0)
            made = tf.gather(self._made, tf.where(chosen, ranks, len(self._made) - 1))
            tokens = tf.where(chosen, made, tokens)
            merged = tf.reduce_any(chosen)
            return tf.boolean_mask(tokens, kept), tf.boolean_mask(words, kept), merged

        flat = tf.TensorShape([None])
        tokens, words, _ = tf.while_loop(
            lambda tokens, words, merged: merged,
            merge_lowest,
            (tokens, words, tf.size(tokens) > 0),
            shape_invariants=(flat, flat, tf.TensorShape([])),
        )
        return tokens, words

    def _pair_ranks(self, tokens: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Return the rank of each token's pair with the next token, int32[N]."""
        wide = tf.cast(tokens, tf.int64)
        pairs = wide[:-1] * len(self._pieces) + wide[1:]
        keys = tf.constant(self._keys)
        index = tf.searchsorted(keys, pairs)
        known = tf.equal(tf.gather(keys, index), pairs) & tf.equal(words[:-1], words[1:])
        ranks = tf.where(known, tf.gather(tf.constant(self._ranks), index), _NO_MERGE)
        return tf.concat([ranks, [_NO_MERGE]], 0)


def _is_first_in(words: tf.Tensor, marks: tf.Tensor) -> tf.Tensor:
    """Return which true ones of bool[N] are the first of their word, bool[N]."""
    before = running_count(marks) - tf.cast(marks, tf.int32)
    return marks & tf.equal(before, tf.gather(tf.math.segment_min(before, words), words))


def _is_early(merges: np.ndarray) -> np.ndarray:
    """Return which merges make a token that a merge before them takes, bool[M].

    Learning finds no such merge, but a published vocabulary may have several for one token.
    """
    ranks = np.arange(len(merges))
    first = np.full(merges.max(initial=0) + 1, len(merges))
    np.minimum.at(first, merges[:, :2], ranks[:, None])
    return first[merges[:, 2]] <= ranks
