"""Tokenizers as TensorFlow ops, so that a SavedModel takes strings and returns strings.

Core TensorFlow ops alone, no hash tables and no tensorflow-text: a stock TensorFlow
Serving, or a C program, runs them, and there is nothing to initialize.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import tensorflow as tf

from textgen.tokenizer.base import SPECIAL_TOKENS, UNKNOWN


class GraphTokenizer(ABC):
    """Strings to ids and back, inside a graph."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = np.array(pieces, dtype=object)

    @abstractmethod
    def encode(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts.

        Args:
            texts: string[B], UTF-8; invalid bytes count as U+FFFD.

        Returns:
            ids int32[B, T], padded on the right with the unknown token, and the
            number of tokens in each row, int32[B].
        """

    def pieces(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return the bytes each id writes, string of the shape of `token_ids`."""
        return tf.gather(tf.constant(self._pieces, tf.string), token_ids)

    def decode(self, token_ids: tf.Tensor, num_tokens: tf.Tensor) -> tf.Tensor:
        """Return the bytes of each row's first `num_tokens` ids.

        Args:
            token_ids: int32[B, T]; ids past a row's length may have any value.
            num_tokens: int32[B].

        Returns:
            string[B].
        """
        kept = tf.sequence_mask(num_tokens, tf.shape(token_ids)[1])
        # Every special token writes nothing, so masked places may stand for one.
        return tf.strings.reduce_join(self.pieces(tf.where(kept, token_ids, UNKNOWN)), axis=1)


class CharacterGraphTokenizer(GraphTokenizer):
    """The graph's half of `CharacterTokenizer`.

    Args:
        code_points: the vocabulary's code points in rising order, int32[V - 3].
        pieces: the UTF-8 bytes of each id.
    """

    def __init__(self, code_points: np.ndarray, pieces: list[bytes]) -> None:
        super().__init__(pieces)
        self._code_points = code_points

    def encode(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts; see `GraphTokenizer.encode`."""
        ragged = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        known = tf.constant(self._code_points)
        index = tf.searchsorted(known, ragged.flat_values)
        index = tf.minimum(index, len(self._code_points) - 1)
        found = tf.equal(tf.gather(known, index), ragged.flat_values)
        ids = tf.where(found, index + len(SPECIAL_TOKENS), UNKNOWN)
        lengths = tf.cast(ragged.row_lengths(), tf.int32)
        return ragged.with_flat_values(ids).to_tensor(default_value=UNKNOWN), lengths
