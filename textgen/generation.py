"""The decode loop: from prompts to texts, over any model that keeps the contract."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.models.base import Decoder
from textgen.sampling import SamplingControls, sample, uniform
from textgen.tokenizer.base import END, START, UNKNOWN
from textgen.tokenizer.graph import GraphTokenizer

# What a row's `finish_reason` says, by the number the loop keeps.
FINISH_REASONS = ("", "stop", "length")
_RUNNING, _STOP, _LENGTH = range(3)


class Generated(NamedTuple):
    """What the decode loop returns.

    Attributes:
        text_bytes: string[B], the UTF-8 bytes of the new text, without the prompt.
        token_ids: int32[B, N], the new tokens; -1 behind a row's end.
        num_tokens: int32[B].
        finish_reason: string[B]: `stop` (end of text, or a stop string) or `length`.
    """

    text_bytes: tf.Tensor
    token_ids: tf.Tensor
    num_tokens: tf.Tensor
    finish_reason: tf.Tensor


class Generator(tf.Module):
    """A decoder, its tokenizer and what the two must know of each other.

    Args:
        decoder: writes tokens.
        tokenizer: of the same vocabulary.
        boundary: id put before every prompt (`Tokenizer.boundary`).
        has_documents: whether the end token was trained; where it was not, it is
            never sampled.
    """

    def __init__(
        self, decoder: Decoder, tokenizer: GraphTokenizer, boundary: int, has_documents: bool
    ) -> None:
        super().__init__(name="generator")
        self.decoder = decoder
        self.tokenizer = tokenizer
        self._boundary = boundary
        self._banned = [UNKNOWN, START] if has_documents else [UNKNOWN, START, END]

    def generate(
        self,
        prompts: tf.Tensor,
        max_new_tokens: tf.Tensor,
        controls: SamplingControls,
        stop: tf.Tensor,
    ) -> Generated:
        """Continue every prompt.

        A text that outgrows the model's context goes on: the newest half of the window
        is read again, and writing continues from there.

        Args:
            prompts: string[B], UTF-8; may be empty.
            max_new_tokens: int32[B].
            controls: one value a row.
            stop: string[B, S], UTF-8; the text ends with the first of these to appear
                in it, which is kept. Empty strings are ignored, S may be 0.
        """
        batch_size = tf.shape(prompts)[0]
        limit = tf.reduce_max(tf.concat([max_new_tokens, [0]], 0))
        window, lengths = self._window(prompts)
        logits, state = self.decoder.prefill(window, lengths)
        watch = _StopWatch(stop)
        indices = tf.range(tf.cast(limit, tf.int64))
        numbers = uniform(controls.seed[:, None], indices[None, :])  # (B, N)

        def body(index, loop):
            tokens = sample(self._allowed(loop.logits), controls, numbers[:, index])
            running = tf.equal(loop.finish, _RUNNING)
            written = running & tf.not_equal(tokens, END)
            counts = loop.counts + tf.cast(written, tf.int32)
            tail, stopped = watch.update(loop.tail, self.tokenizer.pieces(tokens))
            finish = tf.where(running & (counts >= max_new_tokens), _LENGTH, loop.finish)
            finish = tf.where(running & (stopped | ~written), _STOP, finish)
            recent = tf.concat([loop.recent[:, 1:], tokens[:, None]], axis=1)
            # The last token of all is not read: nothing is written after it.
            logits, position, state = tf.cond(
                tf.reduce_any(tf.equal(finish, _RUNNING)),
                lambda: self._read(tokens, recent, loop.position, loop.state),
                lambda: (loop.logits, loop.position, loop.state),
            )
            row = tf.where(written, tokens, -1)
            output = tf.tensor_scatter_nd_update(loop.output, [[index]], row[None])
            return index + 1, _Loop(logits, position, recent, finish, counts, tail, output, state)

        start = _Loop(
            logits=logits,
            position=lengths,
            recent=self._recent(window, lengths),
            finish=tf.where(max_new_tokens > 0, _RUNNING, _LENGTH),
            counts=tf.zeros([batch_size], tf.int32),
            tail=watch.empty_tail(batch_size),
            output=tf.fill([limit, batch_size], -1),
            state=state,
        )
        _, end = tf.while_loop(
            lambda index, loop: tf.reduce_any(tf.equal(loop.finish, _RUNNING)),
            body,
            (tf.constant(0), start),
        )
        token_ids = tf.transpose(end.output)
        return Generated(
            text_bytes=self.tokenizer.decode(token_ids, end.counts),
            token_ids=token_ids,
            num_tokens=end.counts,
            finish_reason=tf.gather(tf.constant(FINISH_REASONS), end.finish),
        )

    def _window(self, prompts):
        """Encode the prompts behind the boundary token; keep what the decoder can hold.

        Returns:
            int32[B, P] padded on the right, and the number of tokens in each row.
        """
        ids, lengths = self.tokenizer.encode(prompts)
        ids = tf.pad(ids, [[0, 0], [1, 0]], constant_values=self._boundary)
        lengths += 1
        limit = self.decoder.max_positions
        if limit is None:
            return ids, lengths
        kept = tf.minimum(lengths, limit)
        columns = (lengths - kept)[:, None] + tf.range(tf.minimum(tf.shape(ids)[1], limit))
        columns = tf.minimum(columns, tf.shape(ids)[1] - 1)
        return tf.gather(ids, columns, batch_dims=1), kept

    @property
    def _half(self) -> int:
        """Tokens read again when the context is full; 1 where it never is."""
        return (self.decoder.max_positions or 2) // 2

    def _recent(self, window, lengths):
        """The newest half context of each row, int32[B, C / 2], right-aligned.

        A row with fewer tokens holds copies of its first one on the left; they are
        gone before the row's context is full.
        """
        columns = lengths[:, None] - self._half + tf.range(self._half)
        return tf.gather(window, tf.maximum(columns, 0), batch_dims=1)

    def _allowed(self, logits):
        """Remove the tokens that must not be sampled."""
        banned = tf.reduce_any(tf.range(self.decoder.vocab_size)[:, None] == self._banned, axis=1)
        return tf.where(banned, float("-inf"), logits)

    def _read(self, tokens, recent, position, state):
        """Let the decoder read int32[B] tokens; return its logits, positions and state."""
        limit = self.decoder.max_positions
        if limit is None:
            logits, state = self.decoder.step(tokens, state, position)
            return logits, position + 1, state
        full = position >= limit

        def step():
            logits, new_state = self.decoder.step(tokens, state, tf.minimum(position, limit - 1))
            return logits, position + 1, new_state

        def step_or_reread():
            """Rows fill up at different times: every row takes the half that is its own."""
            reread = self.decoder.prefill(recent, tf.fill(tf.shape(tokens), self._half))
            stepped = step()

            def choose(new, old):
                shape = tf.concat([tf.shape(full), tf.ones([new.shape.rank - 1], tf.int32)], 0)
                return tf.where(tf.reshape(full, shape), new, old)

            return (
                choose(reread[0], stepped[0]),
                tf.where(full, self._half, stepped[1]),
                tuple(map(choose, reread[1], stepped[2])),
            )

        return tf.cond(tf.reduce_any(full), step_or_reread, step)


class _Loop(NamedTuple):
    """What one turn of the decode loop hands to the next; N is the longest row's limit."""

    logits: tf.Tensor  # float32[B, V], after the newest token read
    position: tf.Tensor  # int32[B], tokens in the decoder's state
    recent: tf.Tensor  # int32[B, C / 2], the newest tokens
    finish: tf.Tensor  # int32[B], index into FINISH_REASONS
    counts: tf.Tensor  # int32[B], tokens written
    tail: tf.Tensor  # string[B], the newest bytes written
    output: tf.Tensor  # int32[N, B], tokens written; -1 where none
    state: tuple[tf.Tensor, ...]  # the decoder's


class _StopWatch:
    """Sees when a text ends with one of its row's stop strings.

    Args:
        stop: string[B, S]; empty strings are ignored.
    """

    def __init__(self, stop: tf.Tensor) -> None:
        self._stop = stop
        self._lengths = tf.strings.length(stop)  # in bytes
        self._longest = tf.reduce_max(tf.concat([tf.reshape(self._lengths, [-1]), [0]], 0))

    def empty_tail(self, batch_size: tf.Tensor) -> tf.Tensor:
        """As many NUL bytes as the longest stop string has bytes, for every row.

        A tail never is shorter than that, because `tf.strings.substr` refuses to start
        before the beginning of a string.
        """
        nul = tf.strings.reduce_join(tf.fill([self._longest], tf.constant(b"\0")))
        return tf.fill([batch_size], nul)

    def update(self, tail: tf.Tensor, pieces: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Append the newest bytes; return the new tail and bool[B], whether to stop."""

        def append():
            text = tail + pieces
            start = tf.strings.length(text) - self._longest
            new_tail = tf.strings.substr(text, start, tf.fill(tf.shape(start), self._longest))
            candidates = tf.broadcast_to(new_tail[:, None], tf.shape(self._stop))
            ends = tf.strings.substr(candidates, self._longest - self._lengths, self._lengths)
            matches = tf.equal(ends, self._stop) & (self._lengths > 0)
            return new_tail, tf.reduce_any(matches, axis=1)

        def nothing():
            return tail, tf.zeros(tf.shape(tail), tf.bool)

        return tf.cond(self._longest > 0, append, nothing)
