"""The decode loop of texts that ask for no more than bias and temperature.

A token of a small model takes as long as it has operations. So an iteration computes only what the
next one needs. What does not depend on the tokens is computed before the loop, and what they change
in a text's history and counts after it.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.end_detector import EndDetector
from textgen.generation.iteration import Iteration
from textgen.generation.outputs import LENGTH, RUNNING
from textgen.generation.state import NO_TOKEN
from textgen.generation.token_outputs import TokenRecorder
from textgen.models.base import Decoder
from textgen.sampling import Chain


class PlainLoop:
    """Generates a batch of texts with bias and temperature alone, one token per pass.

    Args:
        decoder: A snapshot of the model.
        chain: Draws the tokens.
        ends: Knows the tokens that end a text.
        recorder: Records the tokens.
        max_new_tokens: int32[B].
    """

    def __init__(
        self,
        decoder: Decoder,
        chain: Chain,
        ends: EndDetector,
        recorder: TokenRecorder,
        max_new_tokens: tf.Tensor,
    ) -> None:
        self._decoder = decoder
        self._chain = chain
        self._recorder = recorder
        self._max_new_tokens = max_new_tokens
        self._finish_after = ends.finish_after_each(decoder.vocab_size)

    def run(
        self, start: Iteration, numbers: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, Iteration]:
        """Generate tokens until a text has its last one, or all have ended.

        Args:
            start: The texts.
            numbers: float32[size, B], the random numbers of their next tokens.
            size: int32[], how many tokens there is room for.

        Returns:
            How many tokens were generated, and the texts.
        """
        state = start.state
        remaining = self._max_new_tokens - state.count
        remaining = tf.where(tf.equal(state.finish, RUNNING), remaining, size)
        # No text reaches its maximum inside the loop, which does not count its tokens.
        size = tf.minimum(size, tf.reduce_min(remaining))
        numbers = self._chain.numbers(numbers)
        decoder = self._decoder
        size, tables = decoder.look_up(state.state, state.position, size)

        def iterate(i, token, finish, outputs, cache):
            looked_up = tuple(tf.gather(table, i) for table in tables)
            # Only decoders that look nothing up need it.
            position = state.position + i
            hidden, cache = decoder.step(token, cache, position, looked_up)
            logits = decoder.logits(hidden)
            token = self._chain.sample_plainly(logits, tf.gather(numbers, i))
            finish_after = tf.gather(self._finish_after, token + 1)
            finish = tf.where(tf.equal(finish, RUNNING), finish_after, finish)
            is_text = tf.equal(finish, RUNNING)
            outputs = self._recorder.record_token(outputs, i, tf.where(is_text, token, NO_TOKEN))
            return i + 1, tf.maximum(token, 0), finish, outputs, cache

        count, token, finish, outputs, cache = tf.while_loop(
            lambda i, token, finish, *_: (i < size) & tf.reduce_any(tf.equal(finish, RUNNING)),
            iterate,
            (tf.constant(0), state.token, state.finish, start.outputs, state.state),
        )
        tokens = tf.transpose(outputs.token_ids[:count])
        num_new = tf.math.count_nonzero(tokens >= 0, 1, dtype=tf.int32)
        num_tokens = state.count + num_new
        is_full = tf.equal(finish, RUNNING) & (num_tokens >= self._max_new_tokens)
        recent = tf.concat([state.recent, tf.maximum(tokens, 0)], 1)
        state = state._replace(
            token=token,
            # Finished rows keep their position, which fits in the cache.
            position=state.position + num_new - tf.cast(is_full, tf.int32),
            recent=recent[:, count:],
            count=num_tokens,
            finish=tf.where(is_full, LENGTH, finish),
            state=cache,
        )
        return count, start._replace(outputs=outputs, state=state)
