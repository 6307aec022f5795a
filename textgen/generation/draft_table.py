"""Guesses of a text's next tokens, from what followed the same few tokens in the corpus.

A guess is drawn like a token, with the same random number. A draw orders the tokens by their ids,
so two similar distributions turn most random numbers into the same token. For characters, such a
guess is right more often than the most likely character (coupled draws: M. Daliri, C. Musco and
A. Suresh, "Coupling without Communication and Drafter-Invariant Speculative Decoding", 2024,
https://arxiv.org/abs/2408.07978).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from textgen.models.base import Decoder
from textgen.splitmix import GOLDEN_GAMMA

# The table has a row for each hash of the previous tokens, and a column for each range of random
# numbers.
_BITS, _COLUMNS = 16, 16
_ORDERS = (2, 3, 4, 5)
# Tokens of the corpus that are counted, and held-out ones that are guessed.
_MAX_TOKENS, _NUM_GUESSED = 4_000_000, 50_000
# In smaller models the operations of a pass take longer than the products.
_MIN_WEIGHTS = 3_000_000
# If fewer guesses are right, passes over several tokens do not pay. Characters reach 0.4, BPE
# tokens 0.1.
_MIN_RIGHT = 0.25
_TOKEN_FACTOR = 0xD1342543DE82EF95


class DraftTable(NamedTuple):
    """The tokens that follow every sequence of tokens in a corpus.

    Sequences with the same hash share a row. A guess may be wrong anyway, so that does no harm.

    Attributes:
        order: How many tokens a guess depends on.
        tokens: Unsigned integers [2 ** 16, 16]: in each row, the tokens that followed, in the
            order of their ids, at evenly spaced quantiles.
    """

    order: int
    tokens: np.ndarray

    @classmethod
    def for_decoder(
        cls, decoder: Decoder, num_weights: int, train: np.ndarray, held_out: np.ndarray
    ) -> DraftTable | None:
        """Return the table of a model's corpus, or `None` if guesses would not make it faster.

        Args:
            decoder: The model, with or without its weights.
            num_weights: Number of its weights.
            train: As in `learn`.
            held_out: As in `learn`.
        """
        if not decoder.extends or num_weights < _MIN_WEIGHTS:
            return None
        return cls.learn(train, held_out, decoder.vocab_size)

    @classmethod
    def learn(cls, train: np.ndarray, held_out: np.ndarray, vocab_size: int) -> DraftTable | None:
        """Return the table that guesses best, or `None` if its guesses are too often wrong.

        Args:
            train: Token ids of the corpus.
            held_out: Token ids of the same kind of text; if there are few, `None` is returned.
            vocab_size: V.
        """
        train, held_out = train[-_MAX_TOKENS:], held_out[:_NUM_GUESSED]
        if min(len(train), len(held_out)) <= 10 * max(_ORDERS):
            return None
        tables = [cls.of_order(order, train, vocab_size) for order in _ORDERS]
        right = [table.share_right(held_out) for table in tables]
        return tables[int(np.argmax(right))] if max(right) >= _MIN_RIGHT else None

    @classmethod
    def of_order(cls, order: int, tokens: np.ndarray, vocab_size: int) -> DraftTable:
        """Return the table of a corpus of more than `order` tokens, int[N]."""
        rows = _rows_before(tokens, order)
        followers = np.sort(rows * vocab_size + tokens[order:])
        bounds = np.searchsorted(followers, np.arange(2**_BITS + 1) * vocab_size)
        quantiles = (np.arange(_COLUMNS) + 0.5) / _COLUMNS
        index = bounds[:-1, None] + (np.diff(bounds)[:, None] * quantiles).astype(np.int64)
        found = followers[np.minimum(index, len(followers) - 1)] % vocab_size
        return cls(order, found.astype(np.min_scalar_type(vocab_size - 1)))

    def share_right(self, tokens: np.ndarray) -> float:
        """Return how many tokens of a text are guessed with random numbers, from 0 to 1."""
        rows = _rows_before(tokens, self.order)
        columns = np.random.default_rng(0).integers(0, _COLUMNS, len(rows))
        return float(np.mean(self.tokens[rows, columns] == tokens[self.order :]))


class Drafter:
    """Guesses tokens in a graph.

    Args:
        table: What to guess by.
    """

    def __init__(self, table: DraftTable) -> None:
        self._order = table.order
        self._factors = _factors(table.order)
        self._tokens = tf.constant(table.tokens.reshape(-1))

    def draft(self, recent: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Guess the next tokens of a text, each after those before it.

        Args:
            recent: int32[C], the newest tokens; -1 on the left if there are fewer.
            numbers: float32[N] in [0, 1), the random numbers of the next tokens; N is static.

        Returns:
            int32[N].
        """
        sequence = tf.reduce_sum(_terms(_newest(recent, self._order)) * self._factors)
        tokens = []
        for column in tf.unstack(_columns(numbers)):
            tokens.append(self._guess(sequence, column))
            # The oldest token's bits leave on the left.
            sequence = sequence * 2 ** _shift(self._order) + _terms(tokens[-1]) * self._factors[-1]
        return tf.stack(tokens)

    def are_right(self, recent: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Return which of the newest tokens of a text would have been guessed, bool[N].

        Args:
            recent: int32[C], as in `draft`.
            numbers: float32[N], the random numbers of its newest tokens; N is static.
        """
        (size,) = numbers.shape
        recent = _newest(recent, size + self._order)
        windows = tf.gather(recent, np.arange(size)[:, None] + np.arange(self._order))
        sequences = tf.reduce_sum(_terms(windows) * self._factors, 1)
        return tf.equal(self._guess(sequences, _columns(numbers)), recent[self._order :])

    def _guess(self, sequence, column):
        row = _row_of(sequence, tf.bitwise.right_shift, tf.bitwise.bitwise_and)
        return tf.cast(tf.gather(self._tokens, row * _COLUMNS + column), tf.int32)


def _newest(recent, size):
    return tf.pad(recent, [[size, 0]], constant_values=-1)[-size:]


def _terms(tokens):
    return tf.cast(tokens, tf.int64) + 1


def _columns(numbers):
    return tf.cast(numbers * _COLUMNS, tf.int64)


def _shift(order: int) -> int:
    """Return by how many bits each token shifts the older ones: out of 64 after `order` tokens."""
    return -(-64 // order)


def _factors(order: int) -> np.ndarray:
    """Return what the tokens of a sequence are multiplied by, the oldest first: int64[order]."""
    shifts = range((order - 1) * _shift(order), -1, -_shift(order))
    return np.array([_signed(_TOKEN_FACTOR << shift) for shift in shifts])


def _rows_before(tokens: np.ndarray, order: int) -> np.ndarray:
    """Return the row before each token but the first `order`: int64[N - order]."""
    sequences = np.zeros(len(tokens) - order, np.int64)
    for index, factor in enumerate(_factors(order)):
        sequences += (tokens[index : index - order].astype(np.int64) + 1) * factor
    return _row_of(sequences, np.right_shift, np.bitwise_and)


def _row_of(sequences: Any, right_shift: Any, bitwise_and: Any) -> Any:
    """Hash sequences by multiplication: the upper bits of the product (Knuth, volume 3, 6.4)."""
    mixed = sequences * np.int64(_signed(GOLDEN_GAMMA))
    return bitwise_and(right_shift(mixed, np.int64(64 - _BITS)), np.int64(2**_BITS - 1))


def _signed(value: int) -> int:
    """Return the int64 with the lower 64 bits of a number."""
    return (value + 2**63) % 2**64 - 2**63
