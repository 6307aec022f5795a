"""BPE of characters, as SentencePiece learns it, as TensorFlow ops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.graph_byte_pair import (
    NO_TOKEN,
    BytePairGraphTokenizer,
    Merges,
    without,
)
from textgen.tokenizer.graph.graph_constant import GraphConstant
from textgen.tokenizer.graph.runs import running_count
from textgen.tokenizer.token_ids import SpecialTokens

_SPACE, _SPACE_SYMBOL = 0x20, 0x2581
# The code points from which on UTF-8 takes 2, 3 and 4 bytes, and what their first bytes begin with.
_LONGER = (0x80, 0x800, 0x10000)
_FIRST_BYTES = (0, 0xC0, 0xE0, 0xF0)


class SentencePieceGraphTokenizer(BytePairGraphTokenizer):
    """The graph's half of `SentencePieceTokenizer`.

    Args:
        merges: The tokens of the bytes, and the merges.
        characters: The tokens of characters by code points, in ascending order.
        prefix: When a text begins with one more space; see `SentencePieceTokenizer`.
        has_words: Whether no merge crosses the beginning of a run of spaces.
        pieces: The bytes of each token, by id.
        special: Ids of the special tokens.
        special_texts: The texts by which a prompt may ask for special tokens, by id.
        eos_ids: Ids of the tokens that end a text.
    """

    def __init__(
        self,
        merges: Merges,
        characters: Mapping[int, int],
        prefix: str,
        has_words: bool,
        pieces: list[bytes],
        special: SpecialTokens,
        special_texts: Mapping[int, str],
        eos_ids: Sequence[int],
    ) -> None:
        super().__init__(merges, lambda _: None, pieces, special, special_texts, eos_ids=eos_ids)
        # The last one is larger than any code point, so that every search ends at one.
        points, ids = np.array([*characters.items(), (0x7FFFFFFF, NO_TOKEN)], np.int32).T
        self._points, self._ids = GraphConstant(points), GraphConstant(ids)
        self._space = characters[_SPACE]
        self._prefix = prefix
        self._has_words = has_words

    def encode(
        self, texts: tf.Tensor, parse_special: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        points = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        special = tf.fill([tf.size(points.flat_values)], NO_TOKEN)
        if parse_special is None or self._find_special is None:
            parse_special = tf.fill([points.nrows()], False)
        else:
            special, is_left_out = self._find_special(points, parse_special)
            points, special = without(points, special, is_left_out)
        flat, rows = points.flat_values, points.value_rowids()
        flat = tf.where(tf.equal(flat, _SPACE_SYMBOL), _SPACE, flat)
        is_special, is_space = special >= 0, tf.equal(flat, _SPACE)
        # Where a text begins, at its first character or after a special token.
        begins = _shifted(tf.not_equal(rows[1:], rows[:-1]) | is_special[:-1], flat)
        tokens = tf.concat(
            [
                self._prefixes(begins & ~is_special, is_space, tf.gather(parse_special, rows)),
                self._character_tokens(flat, special),
            ],
            axis=1,
        )
        starts = begins | is_special
        if self._has_words:
            starts |= is_space & _shifted(~is_space[:-1], flat)
        words = tf.repeat(running_count(starts) - 1, tokens.shape[1])
        tokens = tf.reshape(tokens, [-1])
        is_token = tokens >= 0
        tokens, words = self._merge(
            tf.boolean_mask(tokens, is_token), tf.boolean_mask(words, is_token)
        )
        return self._as_rows(
            tokens, tf.gather(tf.boolean_mask(rows, starts), words), points.nrows()
        )

    def _prefixes(self, begins, is_space, is_template):
        """The spaces that precede what begins at each character, int32[C, 1]; -1 if none does."""
        has_prefix = begins
        if self._prefix == "never":
            has_prefix = tf.zeros_like(begins)
        elif self._prefix != "always":
            has_prefix &= ~is_space
        if self._prefix == "first":
            has_prefix &= ~is_template
        return tf.where(has_prefix, self._space, NO_TOKEN)[:, None]

    def _character_tokens(self, points, special):
        """The token of each character, or those of its bytes, int32[C, 4]; -1 after the last."""
        index = tf.searchsorted(self._points(), points)
        is_known = tf.equal(tf.gather(self._points(), index), points)
        known = tf.where(is_known, tf.gather(self._ids(), index), NO_TOKEN)
        token = tf.where(special >= 0, special, known)
        size = 1 + tf.reduce_sum(tf.cast(points[:, None] >= _LONGER, tf.int32), 1)
        # In UTF-8, the lowest 6 bits are in the last byte, and so on.
        place = size[:, None] - 1 - tf.range(4)
        bits = points[:, None] // tf.gather([1, 64, 4096, 262144], tf.maximum(place, 0))
        first = tf.gather(_FIRST_BYTES, size - 1)[:, None] + bits[:, :1]
        values = tf.concat([first, 0x80 + bits[:, 1:] % 64], 1)
        # What is no character, in the place of a special token, has no bytes either.
        of_bytes = tf.gather(self._bytes, tf.clip_by_value(values, 0, 255))
        of_bytes = tf.where(place >= 0, of_bytes, NO_TOKEN)
        alone = tf.pad(token[:, None], [[0, 0], [0, 3]], constant_values=NO_TOKEN)
        return tf.where(token[:, None] >= 0, alone, of_bytes)


def _shifted(marks: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Return marks, bool[N - 1], preceded by a true one; none if `like`, [N], is empty."""
    return tf.concat([[True], marks], 0)[: tf.size(like)]
