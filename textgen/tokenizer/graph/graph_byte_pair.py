"""BPE as TensorFlow ops: all words of all texts at once, merge after merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.graph_constant import GraphConstant
from textgen.tokenizer.graph.graph_tokenizer import GraphTokenizer
from textgen.tokenizer.graph.runs import distance_from_last, running_count
from textgen.tokenizer.graph.special_finder import SpecialFinder
from textgen.tokenizer.graph.whole_words import WholeWords
from textgen.tokenizer.token_ids import SpecialTokens

# The id of a byte that is no token.
NO_TOKEN = -1
# In place of the characters of a special token.
_NOT_A_CHARACTER = -1
# The rank of a pair that is never merged.
_NO_MERGE = 2**31 - 1

WordStarts = Callable[[tf.RaggedTensor], tf.Tensor]


class Merges(NamedTuple):
    """How bytes become tokens.

    Attributes:
        bytes: The id of each byte, int32[256], or `NO_TOKEN`.
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
        special_texts: The texts by which a prompt may ask for special tokens, by id.
        whole_words: The tokens of words that merging does not make, by the words' bytes.
        eos_ids: Ids of the tokens that end a text.
    """

    def __init__(
        self,
        merges: Merges,
        word_starts: WordStarts,
        pieces: list[bytes],
        special: SpecialTokens,
        special_texts: Mapping[int, str] | None = None,
        whole_words: Mapping[bytes, int] | None = None,
        eos_ids: Sequence[int] = (),
    ) -> None:
        super().__init__(pieces, special, eos_ids)
        self._find_special = SpecialFinder(special_texts) if special_texts else None
        self._whole_words = WholeWords(whole_words) if whole_words else None
        self._bytes = merges.bytes
        self._word_starts = word_starts
        lefts, rights, made = merges.merges.T
        # What each merge makes, and an entry for merges that do not exist.
        self._made = GraphConstant(np.append(made, 0).astype(np.int32))
        # A pair is one number, and a lookup is a binary search. The last number is larger than
        # any pair, so that every search ends at a number.
        keys = np.append(lefts * len(pieces) + rights, np.iinfo(np.int64).max)
        order = np.argsort(keys).astype(np.int32)
        self._ranks, self._keys = GraphConstant(order), GraphConstant(keys[order])
        self._no_merge = len(merges.merges)
        is_early = np.append(_is_early(merges.merges), False)
        self._is_early = GraphConstant(is_early) if is_early.any() else None

    @property
    def parses_special(self) -> bool:
        """Whether the tokenizer knows the texts of special tokens."""
        return self._find_special is not None

    def encode(
        self, texts: tf.Tensor, parse_special: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        points = tf.strings.unicode_decode(texts, "UTF-8")
        values = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8), tf.int32)
        # In UTF-8 all bytes of a character but the first are 10xxxxxx.
        is_first = tf.not_equal(tf.bitwise.bitwise_and(values, 0xC0), 0x80)
        characters = running_count(is_first) - 1
        tokens = tf.gather(self._bytes, values)
        is_known = tokens >= 0
        if parse_special is None or self._find_special is None:
            starts = self._word_starts(points)
        else:
            special, is_left_out = self._find_special(points, parse_special)
            special_here = tf.gather(special, characters)
            # A special token takes the place of the first byte of its text.
            is_known = tf.where(special_here < 0, is_known, is_first)
            is_known &= ~tf.gather(is_left_out, characters)
            tokens = tf.where(special_here < 0, tokens, special_here)
            points, special = without(points, special, is_left_out)
            starts = self._word_starts(points) | (special >= 0)
            characters -= tf.gather(running_count(is_left_out), characters)
        if parse_special is not None or NO_TOKEN in self._bytes:
            tokens = tf.boolean_mask(tokens, is_known)
            characters = tf.boolean_mask(characters, is_known)
        words = tf.gather(running_count(starts) - 1, characters)
        if self._whole_words is not None:
            tokens, words = _with_whole_words(tokens, words, self._whole_words, self.pieces(tokens))
        tokens, words = self._merge(tokens, words)
        rows = tf.gather(tf.boolean_mask(points.value_rowids(), starts), words)
        return self._as_rows(tokens, rows, points.nrows())

    def _as_rows(self, tokens, rows, num_rows):
        """Return what `encode` returns, from the tokens of all rows and the row of each."""
        ids = tf.RaggedTensor.from_value_rowids(tokens, rows, num_rows, validate=False)
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
            words: int32[N], the number of each token's word, ascending.

        Returns:
            The same for the merged tokens.
        """

        def merge_lowest(tokens, words, merged):
            ranks = self._pair_ranks(tokens, words)
            lowest = tf.gather(tf.math.segment_min(ranks, words), words)
            chosen = tf.equal(ranks, lowest) & (ranks < _NO_MERGE)
            # "aaa" merges its left "aa": of adjacent chosen positions every other one counts.
            chosen &= tf.equal(distance_from_last(~chosen) % 2, 1)
            merges = tf.where(chosen, ranks, self._no_merge)
            if self._is_early is not None:
                chosen &= ~tf.gather(self._is_early(), merges) | _is_first_in(words, chosen)
            kept = ~tf.concat([[False], chosen[:-1]], 0)
            tokens = tf.where(chosen, tf.gather(self._made(), merges), tokens)
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
        pairs = wide[:-1] * len(self.all_pieces) + wide[1:]
        keys = self._keys()
        index = tf.searchsorted(keys, pairs)
        known = tf.equal(tf.gather(keys, index), pairs) & tf.equal(words[:-1], words[1:])
        ranks = tf.where(known, tf.gather(self._ranks(), index), _NO_MERGE)
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


def _with_whole_words(tokens, words, whole_words, pieces):
    """Let the first byte of each whole word be the word's token, and drop the others."""
    count = tf.maximum(tf.reduce_max(words) + 1, 0)
    whole = whole_words(tf.strings.unsorted_segment_join(pieces, words, count))
    whole = tf.gather(whole, words)
    starts = tf.concat([[True], tf.not_equal(words[1:], words[:-1])], 0)[: tf.size(words)]
    kept = (whole < 0) | starts
    tokens = tf.where(whole < 0, tokens, whole)
    return tf.boolean_mask(tokens, kept), tf.boolean_mask(words, kept)


def without(
    points: tf.RaggedTensor, special: tf.Tensor, is_left_out: tf.Tensor
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Drop characters, and put what is no character in the place of special tokens.

    Args:
        points: Code points, int32[B, (T)].
        special: int32[C], from `SpecialFinder`.
        is_left_out: bool[C], likewise.
    """
    kept = tf.boolean_mask(special, ~is_left_out)
    flat = tf.boolean_mask(points.flat_values, ~is_left_out)
    flat = tf.where(kept < 0, flat, _NOT_A_CHARACTER)
    rows = tf.boolean_mask(points.value_rowids(), ~is_left_out)
    return tf.RaggedTensor.from_value_rowids(flat, rows, points.nrows(), validate=False), kept
