"""Texts that follow an automaton over their bytes: what they must, or must not, contain.

`textgen.constraints` builds the automata, and its `encoding` has their format. One token is drawn
freely, and its bytes are followed; only if they lead nowhere, all tokens are followed and one of
the valid ones is drawn. That is the distribution in which the others have no probability: rejection
with a second draw. And it is cheap, because a token that must not come next is seldom drawn.

Letters in shapes: B rows, U different automata, W words of the largest, V vocabulary, L bytes of
the longest token.
"""

from __future__ import annotations

import copy

import tensorflow as tf

from textgen.generation.rows import largest
from textgen.tokenizer.graph import GraphTokenizer

_HEADER = 257  # the columns of 256 bytes, and of none
_MAX_COLUMNS = 259  # of a state: three facts and 256 bytes
_NO_BYTE = 256
_END, _DISTANCE = 1, 2  # columns
_FORBIDDEN, _COMPLETE = 1, 2  # values in the column `_END`
# Bytes of a token that one iteration follows: most tokens have no more.
_BYTES_AT_A_TIME = 4


class AutomatonFollower:
    """Follows the automaton of every row.

    A row's state is the name of a state of its automaton. Whatever the bytes of an automaton are,
    no operation fails: in a server's batch, that would fail the other rows.

    Args:
        encoded: string[B] or string[1], the automata; empty in rows without one.
        batch_size: int32[], B.
        tokenizer: The tokenizer of the model.

    Attributes:
        is_used: bool[], whether any row has an automaton.
    """

    def __init__(
        self, encoded: tf.Tensor, batch_size: tf.Tensor, tokenizer: GraphTokenizer
    ) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = len(tokenizer.all_pieces)
        self.is_used = tf.reduce_any(tf.not_equal(encoded, ""))
        # The rows of a batch often share one, which may have megabytes.
        different, number = tf.unique(encoded)
        self._number = tf.broadcast_to(number, [batch_size])
        # As many words more as a state may have, so that no name leads beyond the end.
        num_words = largest(tf.strings.length(different) // 4, _HEADER) + _MAX_COLUMNS
        words = tf.io.decode_raw(different, tf.int32, fixed_length=4 * num_words)
        self._num_words = num_words
        self._columns = tf.reshape(tf.clip_by_value(words[:, :_HEADER], 0, _MAX_COLUMNS - 1), [-1])
        self._facts = tf.reshape(words, [-1])
        # States by their position in all words.
        first = tf.range(tf.size(different))[:, None] * self._num_words + _HEADER
        self._nexts = tf.reshape(self._clipped(words) + first, [-1])
        self._first = self._number * self._num_words + _HEADER

    def of_rows(self, rows: tf.Tensor) -> AutomatonFollower:
        """Return a follower of some of the rows, int32[N]."""
        part = copy.copy(self)
        part._number = tf.gather(self._number, rows)
        part._first = tf.gather(self._first, rows)
        return part

    def is_alive(self, state: tf.Tensor, remaining: tf.Tensor) -> tf.Tensor:
        """Whether texts may reach states, bool of the shape of `state`.

        Args:
            state: int32[B] or [B, V].
            remaining: int32[B] or [B, 1], how many tokens may follow.
        """
        return self._fact(state, _DISTANCE) <= remaining

    def may_end(self, state: tf.Tensor) -> tf.Tensor:
        """Whether texts may end in states, bool[B]."""
        return tf.not_equal(self._fact(state, _END), _FORBIDDEN)

    def is_complete(self, state: tf.Tensor) -> tf.Tensor:
        """Whether texts are complete in states, bool[B]."""
        return tf.equal(self._fact(state, _END), _COMPLETE)

    def advance(
        self, state: tf.Tensor, token: tf.Tensor, skipped: tf.Tensor | int = 0
    ) -> tf.Tensor:
        """Return the states after a token, int32[B].

        Args:
            state: int32[B].
            token: int32[B], >= 0.
            skipped: int32[B], how many of the token's first bytes do not count.
        """
        return self._follow(state, self._tokenizer.pieces(token)[:, None], skipped)[:, 0]

    def allowed(
        self, state: tf.Tensor, remaining: tf.Tensor, skipped: tf.Tensor | int = 0
    ) -> tf.Tensor:
        """Return which tokens may come next, bool[B, V].

        Args:
            state: int32[B].
            remaining: int32[B], how many tokens may follow, this one included.
            skipped: int32[B], how many of its first bytes do not count.
        """
        token = tf.range(self._vocab_size)
        after = self._follow(state, self._tokenizer.pieces(token)[None], skipped)
        is_eos = tf.equal(token, self._tokenizer.special.eos)
        is_alive = self.is_alive(after, remaining[:, None] - 1)
        return is_alive & (~is_eos | self.may_end(state)[:, None])

    def _follow(self, state, pieces, skipped):
        """Follow the bytes of strings [B or 1, N] from int32[B] states; int32[B, N]."""
        lengths = tf.strings.length(pieces)
        longest = largest(tf.reshape(lengths, [-1]))
        num_rounds = (longest + _BYTES_AT_A_TIME - 1) // _BYTES_AT_A_TIME
        size = tf.maximum(num_rounds, 1) * _BYTES_AT_A_TIME
        values = tf.cast(tf.io.decode_raw(pieces, tf.uint8, fixed_length=size), tf.int32)
        place = tf.range(size)
        is_byte = (place < lengths[..., None]) & (place >= tf.reshape(skipped, [-1, 1, 1]))
        values = tf.where(is_byte, values, _NO_BYTE)
        columns = tf.gather(self._columns, values + self._number[:, None, None] * _HEADER)

        def follow(start, state):
            for place in range(_BYTES_AT_A_TIME):
                state = tf.gather(self._nexts, state + columns[..., start + place])
            return start + _BYTES_AT_A_TIME, state

        state = self._clipped(state)[:, None] + self._first[:, None]
        state = tf.broadcast_to(state, tf.shape(columns)[:2])
        _, state = tf.while_loop(lambda start, _: start < longest, follow, (0, state))
        return state - self._first[:, None]

    def _fact(self, state, column):
        first = tf.reshape(self._first, [-1] + [1] * (state.shape.rank - 1))
        return tf.gather(self._facts, self._clipped(state) + first + column)

    def _clipped(self, states):
        """Replace states that no automaton has."""
        return tf.clip_by_value(states, 0, self._num_words - _HEADER - _MAX_COLUMNS)
