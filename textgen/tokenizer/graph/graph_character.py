"""Characters to ids as TensorFlow ops: a binary search for each code point."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.graph_tokenizer import GraphTokenizer
from textgen.tokenizer.token_ids import SpecialTokens


class CharacterGraphTokenizer(GraphTokenizer):
    """The graph's half of `CharacterTokenizer`.

    Args:
        code_points: The vocabulary's code points in ascending order, int32[V - 3]. Their ids
            follow those of the special tokens.
        pieces: The UTF-8 bytes of each token, by id.
        special: Ids of the special tokens.
    """

    def __init__(
        self, code_points: np.ndarray, pieces: list[bytes], special: SpecialTokens
    ) -> None:
        super().__init__(pieces, special)
        self._code_points = code_points

    @property
    def max_overhang(self) -> int:
        """0, because a token is one character."""
        return 0

    def encode(
        self, texts: tf.Tensor, parse_special: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        ragged = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        known = tf.constant(self._code_points)
        index = tf.searchsorted(known, ragged.flat_values)
        index = tf.minimum(index, len(self._code_points) - 1)
        found = tf.equal(tf.gather(known, index), ragged.flat_values)
        unknown = self.special.unknown
        ids = tf.where(found, index + len(self.special), unknown)
        lengths = tf.cast(ragged.row_lengths(), tf.int32)
        return ragged.with_flat_values(ids).to_tensor(default_value=unknown), lengths
