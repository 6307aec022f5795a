"""The contract of a tokenizer inside a graph."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph.graph_constant import GraphConstant
from textgen.tokenizer.token_ids import SpecialTokens


class GraphTokenizer(ABC):
    """Converts strings to token ids and back, inside a graph.

    Args:
        pieces: The UTF-8 bytes of each token, by id. Special tokens have none.
        special: Ids of the special tokens.
        eos_ids: Ids of the tokens that end a text. By default, `special.eos` alone.

    Attributes:
        all_pieces: The UTF-8 bytes of each token, by id.
        special: Ids of the special tokens.
        eos_ids: Ids of the tokens that end a text.
    """

    def __init__(
        self, pieces: list[bytes], special: SpecialTokens, eos_ids: Sequence[int] = ()
    ) -> None:
        self.special = special
        self.eos_ids = list(eos_ids) or [special.eos]
        self.all_pieces = pieces
        self._pieces = GraphConstant(pieces, tf.string)
        # Which tokens contain a character: int32[n, 2] of code points and ids, sorted, so that
        # the tokens of one code point are adjacent.
        pairs = np.array(
            sorted(
                (ord(character), token)
                for token, piece in enumerate(pieces)
                for character in set(piece.decode("utf-8", errors="ignore"))
            ),
            np.int32,
        ).reshape(-1, 2)
        self._points_and_tokens = [GraphConstant(column) for column in pairs.T]

    @property
    def parses_special(self) -> bool:
        """Whether the tokenizer knows the texts of special tokens."""
        return False

    @property
    def max_overhang(self) -> int:
        """Most bytes of a token that can follow a string which ends inside the token."""
        return max(map(len, self.all_pieces)) - 1

    @abstractmethod
    def encode(
        self, texts: tf.Tensor, parse_special: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Encode a batch of texts.

        Args:
            texts: string[B], UTF-8. Invalid bytes count as U+FFFD.
            parse_special: bool[B], whether the texts of special tokens become these tokens; see
                `ImportedTokenizer.encode_with_special`. Needs `parses_special`. By default they
                are ordinary text.

        Returns:
            Token ids int32[B, T], padded on the right with the unknown token, and the number
            of tokens in each row, int32[B].
        """

    def is_eos(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return which tokens end a text, bool of the shape of `token_ids`."""
        first, *others = (tf.equal(token_ids, token) for token in self.eos_ids)
        return functools.reduce(tf.logical_or, others, first)

    def pieces(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return the bytes of each token, string of the shape of `token_ids`."""
        return tf.gather(self._pieces(), token_ids)

    def decode(self, token_ids: tf.Tensor, num_tokens: tf.Tensor) -> tf.Tensor:
        """Return the bytes of each row's first `num_tokens` ids.

        Args:
            token_ids: int32[B, T]. Ids after a row's length may have any value.
            num_tokens: int32[B].

        Returns:
            string[B].
        """
        is_token = tf.sequence_mask(num_tokens, tf.shape(token_ids)[1])
        # The unknown token has no bytes.
        token_ids = tf.where(is_token, token_ids, self.special.unknown)
        return tf.strings.reduce_join(self.pieces(token_ids), axis=1)

    def tokens_with(self, texts: tf.Tensor) -> tf.Tensor:
        """Find the tokens that contain one of some characters.

        A token that holds only some of a character's bytes does not contain it.

        Args:
            texts: string[B, M], UTF-8. Every character of every text counts. M may be 0.

        Returns:
            bool[B, V], true if the bytes of a token contain a character of the row.
        """
        points, tokens = (column() for column in self._points_and_tokens)
        joined = tf.strings.reduce_join(texts, axis=1)
        wanted = tf.strings.unicode_decode(joined, "UTF-8", errors="replace")
        found = tf.ragged.range(
            tf.searchsorted(points, wanted.flat_values),
            tf.searchsorted(points, wanted.flat_values, side="right"),
        )
        rows = tf.gather(wanted.value_rowids(), found.value_rowids())
        indices = tf.stack([rows, tf.cast(tf.gather(tokens, found.flat_values), tf.int64)], axis=1)
        counts = tf.scatter_nd(
            indices,
            tf.ones_like(rows, tf.int32),
            tf.stack([tf.shape(texts, tf.int64)[0], len(self.all_pieces)]),
        )
        return counts > 0
