"""Texts that follow an automaton over their bytes: what they must, or must not, contain.

`textgen.constraints` builds the automata, and its `encoding` has their format. One token is drawn
freely, and its bytes are followed. Only if they lead nowhere, all tokens are followed and one of
the valid ones is drawn. This is rejection with a second draw, so it samples the distribution in
which the other tokens have no probability. It is cheap, because a token that must not come next is
seldom drawn.

Letters in shapes: B rows, U different automata, W words of the largest, V vocabulary, L bytes of
the longest token.
"""

from __future__ import annotations

import copy

import tensorflow as tf

from textgen.generation.rows import largest
from textgen.generation.token_bytes import HEAD, NO_BYTE, TokenBytes
from textgen.tokenizer.graph import GraphTokenizer

_HEADER = NO_BYTE + 1  # the columns of 256 bytes, and of none
_MAX_COLUMNS = 259  # of a state: three facts and 256 bytes
_END, _DISTANCE = 1, 2  # columns
_COMPLETE = 2  # a value in the column `_END`


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
        self._is_eos = tokenizer.is_eos
        self._vocab_size = len(tokenizer.all_pieces)
        self._bytes = TokenBytes(tokenizer.all_pieces)
        self.is_used = tf.reduce_any(tf.not_equal(encoded, ""))
        # The rows of a batch often share one, which may have megabytes.
        different, number = tf.unique(encoded)
        # As many words more as a state may have, so that no name leads beyond the end.
        num_words = largest(tf.strings.length(different) // 4, _HEADER) + _MAX_COLUMNS
        words = tf.io.decode_raw(different, tf.int32, fixed_length=4 * num_words)
        self._words = tf.reshape(words, [-1])  # megabytes, which nothing else should pass over
        self._last = num_words - _HEADER - _MAX_COLUMNS
        first = self._firsts = tf.range(tf.size(different)) * num_words + _HEADER
        columns = tf.clip_by_value(words[:, :_HEADER], 0, _MAX_COLUMNS - 1)
        # Where to look for the state after each byte, from the name of a state.
        self._columns = tf.reshape(columns + first[:, None], [-1])
        self._place_rows(tf.broadcast_to(number, [batch_size]))

    def _place_rows(self, number):
        """Let the rows follow automata by their number, int32[B]."""
        self._number = number
        self._header = number * _HEADER
        self._first = tf.gather(self._firsts, number)

    def of_rows(self, rows: tf.Tensor) -> AutomatonFollower:
        """Return a follower of some of the rows, int32[N]."""
        part = copy.copy(self)
        part._place_rows(tf.gather(self._number, rows))
        return part

    def is_complete(self, state: tf.Tensor) -> tf.Tensor:
        """Whether texts are complete in states, int32[B]; bool[B]."""
        return tf.equal(self._fact(self._clipped(state), _END), _COMPLETE)

    def advance(
        self,
        state: tf.Tensor,
        token: tf.Tensor,
        remaining: tf.Tensor,
        skipped: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Follow a token in every row.

        Args:
            state: int32[B].
            token: int32[B], >= 0.
            remaining: int32[B], how many tokens may follow, this one included.
            skipped: int32[B], how many of the token's first bytes do not count. Defaults to 0.

        Returns:
            int32[B], the states after the tokens, and bool[B], whether the tokens may come next.
        """
        after = self._follow(self._clipped(state), token, skipped)
        return after, self._is_valid(after, token, remaining)

    def allowed(
        self, state: tf.Tensor, remaining: tf.Tensor, skipped: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Return which tokens may come next, bool[B, V].

        Args:
            state: int32[B].
            remaining: int32[B], how many tokens may follow, this one included.
            skipped: int32[B], how many of its first bytes do not count. Defaults to 0.
        """
        token = tf.range(self._vocab_size)
        size = [tf.size(state), self._vocab_size]
        state = tf.broadcast_to(self._clipped(state)[:, None], size)
        after = self._follow(state, token, skipped)
        return self._is_valid(after, token, remaining[:, None])

    def _is_valid(self, after, token, remaining):
        """Whether texts may continue after tokens: they can end at once, or after more tokens."""
        # The EOS token has no bytes, and a text may end if its end is no token away.
        limit = tf.where(self._is_eos(token), 0, remaining - 1)
        return self._fact(after, _DISTANCE) <= limit

    def _follow(self, state, token, skipped):
        """Follow tokens int32[N] from states int32[B, N], or int32[B] from int32[B]."""
        state = self._follow_bytes(state, self._bytes.head(token), skipped, 0)
        if not self._bytes.tail_size:
            return state
        return tf.cond(
            self._bytes.has_tail(token),
            lambda: self._follow_bytes(state, self._bytes.tail(token), skipped, HEAD),
            lambda: state,
        )

    def _follow_bytes(self, state, values, skipped, start):
        """Follow int32[N, L], the bytes of tokens from one on."""
        header = _per_row(self._header, state)
        skipped = None if skipped is None else _per_row(skipped, state)
        for index, value in enumerate(tf.unstack(values, axis=1), start):
            if skipped is not None:
                value = tf.where(index < skipped, NO_BYTE, value)
            place = state + tf.gather(self._columns, value + header)
            state = self._clipped(tf.gather(self._words, place))
        return state

    def _fact(self, state, column):
        return tf.gather(self._words, state + _per_row(self._first, state) + column)

    def _clipped(self, states):
        """Replace states that no automaton has."""
        return tf.clip_by_value(states, 0, self._last)


def _per_row(values, state):
    """Give int32[B] the rank of states, int32[B] or int32[B, N]."""
    return values if state.shape.rank == 1 else values[:, None]
