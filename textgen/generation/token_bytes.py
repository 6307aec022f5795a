"""The bytes of tokens as numbers, for what follows a text byte by byte inside the decode loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textgen.tokenizer.graph import GraphConstant

# Stands for a byte that a token does not have.
NO_BYTE = 256
# Nearly all tokens have no more bytes. The rest of the others is in a table of its own, because
# a published vocabulary has a few tokens with a hundred.
HEAD = 16


class TokenBytes:
    """Tables of the bytes of all tokens.

    Args:
        pieces: The bytes of each token, by id. Special tokens have none.

    Attributes:
        head_size: The number of bytes that `head` returns.
        tail_size: The number of bytes that `tail` returns; 0 if no token is that long.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        longest = max(map(len, pieces), default=0)
        self.head_size = max(min(longest, HEAD), 1)
        self.tail_size = max(longest - HEAD, 0)
        self._head = GraphConstant(_table([piece[:HEAD] for piece in pieces], self.head_size))
        tails = sorted({piece[HEAD:] for piece in pieces})  # the first one is empty
        rows = {tail: row for row, tail in enumerate(tails)}
        self._tail = GraphConstant(_table(tails, self.tail_size))
        self._row = GraphConstant(np.array([rows[piece[HEAD:]] for piece in pieces], np.int32))

    def head(self, token: tf.Tensor) -> tf.Tensor:
        """Return the first bytes of tokens, int32[N, head_size] for int32[N]."""
        return tf.cast(tf.gather(self._head(), token), tf.int32)

    def tail(self, token: tf.Tensor) -> tf.Tensor:
        """Return the bytes after the first `HEAD`, int32[N, tail_size] for int32[N]."""
        return tf.cast(tf.gather(self._tail(), tf.gather(self._row(), token)), tf.int32)

    def has_tail(self, token: tf.Tensor) -> tf.Tensor:
        """Whether any of some tokens, int32[N], has more than `HEAD` bytes, bool[]."""
        return tf.reduce_any(tf.gather(self._row(), token) > 0)


def _table(pieces: Sequence[bytes], width: int) -> np.ndarray:
    table = np.full([len(pieces), width], NO_BYTE, np.int16)
    for row, piece in zip(table, pieces, strict=True):
        row[: len(piece)] = np.frombuffer(piece, np.uint8)
    return table
