"""How texts end, and what is returned of them: the same for the decode loop and both searches."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.generation.outputs import ERROR, FINISH_REASONS, LENGTH, RUNNING, STOP
from textgen.generation.stop_strings import StopStringMatcher
from textgen.tokenizer.graph import GraphTokenizer


class Progress(NamedTuple):
    """How far the texts of a batch are.

    Attributes:
        count: int32[B], tokens generated.
        finish: int32[B], index into FINISH_REASONS.
        tail: string[B], the newest bytes of the text, for the stop strings.
        overhang: int32[B], bytes of the last token that follow its stop string.
    """

    count: tf.Tensor
    finish: tf.Tensor
    tail: tf.Tensor
    overhang: tf.Tensor


class EndDetector:
    """Detects the ends of texts: the EOS token, stop strings, and the maximum length.

    Args:
        tokenizer: The tokenizer of the model.
        stop: string[B, S], stop strings; see `Request`.
        max_new_tokens: int32[B].
        min_new_tokens: int32[B], or 0. Stop strings do not count before.
    """

    def __init__(
        self,
        tokenizer: GraphTokenizer,
        stop: tf.Tensor,
        max_new_tokens: tf.Tensor,
        min_new_tokens: tf.Tensor | int = 0,
    ) -> None:
        self._tokenizer = tokenizer
        self._max_new_tokens = max_new_tokens
        self._min_new_tokens = min_new_tokens
        self._matcher = StopStringMatcher(stop, tokenizer.max_overhang)
        self.is_watching = self._matcher.is_watching

    def start(self) -> Progress:
        """Return the progress of texts without a token."""
        none = tf.zeros_like(self._max_new_tokens)
        finish = tf.where(self._max_new_tokens > 0, RUNNING, LENGTH)
        return Progress(none, finish, tf.fill(tf.shape(none), ""), none)

    def is_eos(self, token: tf.Tensor) -> tf.Tensor:
        """Whether tokens are EOS tokens."""
        return self._tokenizer.is_eos(token)

    def finish_after_each(self, vocab_size: int) -> tf.Tensor:
        """Return how each token leaves a text that has no stop strings.

        Returns:
            int32[1 + V], an index into FINISH_REASONS: first for the token -1, of which none could
            be chosen, then for the tokens 0, 1, 2 ...
        """
        finish = tf.where(self.is_eos(tf.range(vocab_size)), STOP, RUNNING)
        return tf.concat([[ERROR], finish], 0)

    def match(
        self, tail: tf.Tensor, token: tf.Tensor, pieces: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Append a token to every text.

        Args:
            tail: string[B], from `Progress` or the previous call.
            token: int32[B], >= 0.
            pieces: string[B], the token's bytes that belong to the text. Defaults to all.

        Returns:
            The new tail; bool[B], whether the token ends the text; and int32[B], how many
            of its bytes follow the stop string.
        """
        pieces = self._tokenizer.pieces(token) if pieces is None else pieces
        tail, is_stop, overhang = self._matcher.update(tail, pieces)
        return tail, is_stop | self.is_eos(token), overhang

    def advance(
        self,
        progress: Progress,
        token: tf.Tensor,
        pieces: tf.Tensor | None = None,
        watch: bool = True,
    ) -> tuple[Progress, tf.Tensor]:
        """Append the next token to every text that is not finished.

        Args:
            progress: The texts so far.
            token: int32[B], -1 if none could be chosen.
            pieces: string[B], the token's bytes that belong to the text. Defaults to all.
            watch: Whether to look for stop strings. `False` saves a few operations if there
                are none.

        Returns:
            The new progress, and bool[B], whether the token belongs to the text.
        """
        is_running = tf.equal(progress.finish, RUNNING)
        is_error = token < 0
        token = tf.maximum(token, 0)
        is_end = is_eos = self.is_eos(token)
        is_text = is_running & ~is_eos & ~is_error
        count = progress.count + tf.cast(is_text, tf.int32)
        tail, overhang = progress.tail, progress.overhang
        if watch:
            tail, is_end, new_overhang = self.match(tail, token, pieces)
            is_end = is_eos | (is_end & (count >= self._min_new_tokens))
            overhang = tf.where(is_running & is_end, new_overhang, overhang)
        finish = tf.where(count >= self._max_new_tokens, LENGTH, RUNNING)
        finish = tf.where(is_end, STOP, finish)
        finish = tf.where(is_error, ERROR, finish)
        finish = tf.where(is_running, finish, progress.finish)
        return Progress(count, finish, tail, overhang), is_text

    def first_pieces(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return the bytes of every row's first token, string[B]; "" in a row without one.

        Args:
            token_ids: int32[B, N], -1 after a row's end.
        """
        # One more column, because there may be none.
        first = tf.pad(token_ids, [[0, 0], [0, 1]], constant_values=-1)[:, 0]
        return tf.where(first >= 0, self._tokenizer.pieces(tf.maximum(first, 0)), "")

    def texts(
        self,
        token_ids: tf.Tensor,
        overhang: tf.Tensor,
        finish: tf.Tensor,
        healed: tf.Tensor | int = 0,
    ) -> dict[str, tf.Tensor]:
        """Return what all outputs have in common, by the names of their fields.

        Args:
            token_ids: int32[B, N], -1 after a row's end.
            overhang: int32[B], bytes of the last token that follow its stop string, which
                are removed.
            finish: int32[B], index into FINISH_REASONS.
            healed: int32[B], bytes of the first token that belong to the prompt, which are
                removed too.
        """
        num_tokens = tf.reduce_sum(tf.cast(token_ids >= 0, tf.int32), 1)
        text_bytes = self._tokenizer.decode(token_ids, num_tokens)
        start = healed + tf.zeros_like(num_tokens)
        kept = tf.strings.length(text_bytes) - start - overhang
        return {
            "text_bytes": tf.strings.substr(text_bytes, start, kept),
            "token_ids": token_ids,
            "num_tokens": num_tokens,
            "finish_reason": tf.gather(tf.constant(FINISH_REASONS), finish),
        }
