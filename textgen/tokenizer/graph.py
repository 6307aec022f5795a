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
        # Which tokens write a character whole: [n, 2], sorted, so that the tokens of one
        # code point stand side by side.
        self._points_and_tokens = np.array(
            sorted(
                (ord(character), token)
                for token, piece in enumerate(pieces)
                for character in set(piece.decode("utf-8", errors="ignore"))
            ),
            np.int32,
        ).reshape(-1, 2)

    @property
    def max_overhang(self) -> int:
        """How many bytes of a token may follow the end of a string of whole characters in it."""
        return max(map(len, self._pieces)) - 1

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

    def tokens_with(self, texts: tf.Tensor) -> tf.Tensor:
        """Find the tokens that write one of some characters.

        A token that writes only some of a character's bytes is none of them.

        Args:
            texts: string[B, M], UTF-8; every character of every text counts. M may be 0.

        Returns:
            bool[B, V], true where the bytes of a token contain a character of the row.
        """
        points, tokens = map(tf.constant, self._points_and_tokens.T)
        joined = tf.strings.reduce_join(texts, axis=1)
        wanted = tf.strings.unicode_decode(joined, "UTF-8", errors="replace")
        found = tf.ragged.range(
            tf.searchsorted(points, wanted.flat_values),
            tf.searchsorted(points, wanted.flat_values, side="right"),
        )
        rows = tf.gather(wanted.value_rowids(), found.value_rowids())
        places = tf.stack([rows, tf.cast(tf.gather(tokens, found.flat_values), tf.int64)], axis=1)
        counts = tf.scatter_nd(
            places,
            tf.ones_like(rows, tf.int32),
            tf.stack([tf.shape(texts, tf.int64)[0], len(self._pieces)]),
        )
        return counts > 0


class CharacterGraphTokenizer(GraphTokenizer):
    """The graph's half of `CharacterTokenizer`.

    Args:
        code_points: the vocabulary's code points in rising order, int32[V - 3].
        pieces: the UTF-8 bytes of each id.
    """

    def __init__(self, code_points: np.ndarray, pieces: list[bytes]) -> None:
        super().__init__(pieces)
        self._code_points = code_points

    @property
    def max_overhang(self) -> int:
        """A token is one character: none."""
        return 0

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
