"""How much of the end of a text is copied from the corpus, by a table in the graph.

All passages of `GRAM_BYTES` bytes of a copy are in the table of the corpus (`textgen.gram_table`).
So a text that has too few of them in a row contains no long copy. The converse is not always true,
because the table makes mistakes: now and then, a text is kept from something that is no copy.

Letters in shapes: B rows, K `GRAM_BYTES`, L bytes, W a row of K and L together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textgen.generation.token_bytes import NO_BYTE, TokenBytes
from textgen.gram_table import GRAM_BYTES, POWERS, bits_of_grams
from textgen.tokenizer.graph import GraphConstant

# A copy may begin in the prompt: a hundred characters have no more bytes.
_PROMPT_BYTES = 400


class CopyGuard:
    """Follows the copies at the end of texts.

    The state of a row is int32[1 + K]: the characters of the copy that the text ends in, 0 if it
    ends in none, and the last bytes of the text.

    Args:
        table: uint8[2**k], from `textgen.gram_table.make_table`.
        pieces: The bytes of each token, by id.
    """

    def __init__(self, table: np.ndarray, pieces: Sequence[bytes]) -> None:
        self._num_bits = 8 * len(table)
        self._table = GraphConstant(table)
        self._powers = np.array(POWERS, np.uint64).view(np.int64)
        self._bytes = TokenBytes(pieces)

    def begin(self, prompts: tf.Tensor) -> tf.Tensor:
        """Return the states after prompts, string[B]; int32[B, 1 + K]."""
        sizes = tf.strings.length(prompts)
        kept = tf.minimum(sizes, _PROMPT_BYTES)
        ends = tf.strings.substr(prompts, sizes - kept, kept)
        values = tf.io.decode_raw(ends, tf.uint8, fixed_length=_PROMPT_BYTES)
        is_byte = tf.sequence_mask(kept, _PROMPT_BYTES)
        values = tf.where(is_byte, tf.cast(values, tf.int32), NO_BYTE)
        nothing = tf.constant([0] + [NO_BYTE] * GRAM_BYTES)
        start = tf.broadcast_to(nothing, [tf.size(prompts), 1 + GRAM_BYTES])
        return self._append(start, values)[0]

    def advance(self, copied: tf.Tensor, token: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Follow a token, int32[B], in every row.

        Returns:
            int32[B, 1 + K], the states after the tokens, and int32[B], the characters of the
            longest copy that ends in them.
        """
        head = self._append(copied, self._bytes.head(token))
        if not self._bytes.tail_size:
            return head

        def with_tail():
            after, longest = self._append(head[0], self._bytes.tail(token))
            return after, tf.maximum(head[1], longest)

        return tf.cond(self._bytes.has_tail(token), with_tail, lambda: head)

    def _append(self, copied, values):
        """Follow int32[B, L], bytes with `NO_BYTE` after the last."""
        size = values.shape[1]
        run = copied[:, :1]
        text = tf.concat([copied[:, 1:], values], 1)
        is_byte = values < NO_BYTE
        ends = np.arange(size)[:, None] + np.arange(1, GRAM_BYTES + 1)
        grams = tf.reduce_sum(tf.cast(tf.gather(text, ends, axis=1), tf.int64) * self._powers, 2)
        # A text shorter than a passage has none.
        is_known = self._contains(grams) & is_byte & (text[:, 1 : size + 1] < NO_BYTE)
        # How many characters begin before each byte.
        begins = tf.cast((text < 0x80) | ((text >= 0xC0) & (text < NO_BYTE)), tf.int32)
        before = tf.cumsum(tf.pad(begins, [[0, 0], [1, 0]]), 1)
        upto = before[:, GRAM_BYTES + 1 :]
        # The last byte so far where no known passage ends; -1 if none is among these bytes.
        misses = tf.cumsum(tf.cast(~is_known, tf.int32), 1)
        last = tf.raw_ops.LowerBound(sorted_inputs=misses, values=misses, out_type=tf.int32)
        last = tf.where(misses > 0, last, -1)
        # A copy begins with the passage that ends after it, unless it began before these bytes.
        first = tf.gather(before, last + 2, batch_dims=1)
        begun = before[:, GRAM_BYTES : GRAM_BYTES + 1] - run
        length_at = upto - tf.where((misses > 0) | tf.equal(run, 0), first, begun)
        length_at = tf.where(is_known, length_at, 0)
        length = tf.reduce_sum(tf.cast(is_byte, tf.int32), 1)[:, None]
        end = tf.gather(length_at, tf.maximum(length - 1, 0), batch_dims=1)
        newest = tf.gather(text, length + tf.range(GRAM_BYTES), batch_dims=1)
        after = tf.concat([tf.where(length > 0, end, run), newest], 1)
        return after, tf.reduce_max(length_at, 1)

    def _contains(self, grams):
        """Whether passages, int64 of any shape, are in the table."""

        def uint64(value):
            return tf.constant(np.uint64(value))

        bits = bits_of_grams(
            tf.cast(grams, tf.uint64),
            self._num_bits,
            uint64,
            tf.bitwise.right_shift,
            tf.bitwise.bitwise_and,
            tf.bitwise.bitwise_xor,
        )
        # Both at once, because the time depends on the number of operations.
        place = tf.cast(tf.stack(bits), tf.int64)
        byte = tf.cast(tf.gather(self._table(), place // 8), tf.int32)
        shifted = tf.bitwise.right_shift(byte, tf.cast(place % 8, tf.int32))
        return tf.reduce_all(tf.equal(tf.bitwise.bitwise_and(shifted, 1), 1), 0)
