"""Stop strings: detect that a text has just reached one of them."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.rows import largest


class StopStringMatcher:
    """Detects when a text reaches one of its row's stop strings.

    Args:
        stop: string[B, S], UTF-8; empty strings are ignored, and S may be 0.
        max_overhang: The largest number of bytes of a token that may follow the end of a stop
            string in it; 0 if a token is one character.

    Attributes:
        is_watching: bool[], whether there is any stop string.
    """

    def __init__(self, stop: tf.Tensor, max_overhang: int) -> None:
        self._stop = stop[:, :, None]
        self._lengths = tf.strings.length(stop)[:, :, None]  # in bytes
        self._longest = largest(tf.reshape(self._lengths, [-1]))
        self.is_watching = self._longest > 0
        self._overhangs = tf.range(max_overhang + 1)
        # Precedes every tail, because `tf.strings.substr` refuses to start before the
        # beginning of a string; a byte that UTF-8, and so a stop string, never contains.
        self._padding = tf.strings.reduce_join(
            tf.fill([self._longest + max_overhang], tf.constant(b"\xff"))
        )

    def update(self, tail: tf.Tensor, pieces: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Append the newest bytes of every row.

        Args:
            tail: string[B], the end of the text so far: from the previous update, or empty.
            pieces: string[B], the bytes of the newest token.

        Returns:
            The new tail; bool[B], whether a stop string ends in the newest token; and
            int32[B], how many bytes of that token follow the first such end.
        """

        def append():
            text = tf.strings.join([self._padding, tail, pieces])
            size = tf.strings.length(text)
            longest = tf.fill(tf.shape(size), self._longest)
            new_tail = tf.strings.substr(text, size - longest, longest)
            starts = size[:, None, None] - self._overhangs - self._lengths  # (B, S, overhangs)
            lengths = tf.broadcast_to(self._lengths, tf.shape(starts))
            texts = tf.broadcast_to(text[:, None, None], tf.shape(starts))
            found = tf.equal(tf.strings.substr(texts, starts, lengths), self._stop)
            in_piece = self._overhangs < tf.strings.length(pieces)[:, None, None]
            found = tf.reduce_any(found & in_piece & (lengths > 0), axis=1)  # (B, overhangs)
            overhang = tf.reduce_max(tf.where(found, self._overhangs, 0), axis=1)
            return new_tail, tf.reduce_any(found, axis=1), overhang

        def nothing():
            none = tf.zeros(tf.shape(tail), tf.int32)
            return tail, tf.cast(none, tf.bool), none

        return tf.cond(self.is_watching, append, nothing)
