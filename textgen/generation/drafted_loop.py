"""The decode loop of a single text whose next tokens are drafted.

A pass of a large model over four tokens takes little longer than over one. So three are guessed,
and one pass computes the logits after each. From these, the next tokens are drawn, up to the first
one that was not guessed. The result is the text that is generated without drafts, because a draw
is a function of the logits, the seed and the token's index alone.
"""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.draft_table import Drafter
from textgen.generation.end_detector import EndDetector, Progress
from textgen.generation.iteration import Iteration
from textgen.generation.outputs import RUNNING
from textgen.generation.state import NO_TOKEN, GenerationState
from textgen.generation.token_outputs import TokenRecorder
from textgen.generation.window import BLOCK
from textgen.models.base import Decoder
from textgen.sampling import Chain, uniform

_NUM_DRAFTS = 3
_NUM_TOKENS = 1 + _NUM_DRAFTS
# Drafts pay if they would have been right for this fraction of the newest tokens. A new text
# starts as if half of a few tokens had been right.
_MIN_RIGHT, _NUM_ASSUMED = 0.35, 8


class DraftedLoop:
    """Generates one text by bias and temperature alone, several tokens per pass.

    Args:
        decoder: A snapshot of a model that has `extend`.
        chain: Draws the tokens.
        ends: Detects the end of the text.
        recorder: Records the tokens.
        drafter: Guesses them.
        seed: int64[B], the seeds of the texts.
    """

    def __init__(
        self,
        decoder: Decoder,
        chain: Chain,
        ends: EndDetector,
        recorder: TokenRecorder,
        drafter: Drafter,
        seed: tf.Tensor,
    ) -> None:
        self._decoder = decoder
        self._drafter = drafter
        self._chain = chain
        self._ends = ends
        self._recorder = recorder
        self._seed = seed
        self.is_single = tf.equal(tf.shape(seed)[0], 1)

    def max_block(self, state: GenerationState) -> tf.Tensor:
        """Return after how many tokens to ask again whether drafts pay, int32[]: soon at first."""
        is_new = tf.reduce_all(state.count < BLOCK)
        return tf.where(self.is_single, tf.where(is_new, _NUM_ASSUMED, BLOCK), tf.int32.max)

    def pays(self, state: GenerationState, size: tf.Tensor) -> tf.Tensor:
        """Return whether to generate the next tokens of a batch by this loop, bool[].

        Args:
            state: The texts.
            size: int32[], how many tokens there is room for.
        """

        def were_right():
            ages = tf.range(-BLOCK, 0)
            index = tf.cast(state.count + ages, tf.int64)
            right = self._drafter.are_right(state.recent[0], uniform(self._seed, index))
            right &= state.count + ages >= 0
            num_tokens = tf.minimum(state.count[0], BLOCK) + _NUM_ASSUMED
            num_right = tf.math.count_nonzero(right, dtype=tf.int32) + _NUM_ASSUMED // 2
            return tf.cast(num_right, tf.float32) >= _MIN_RIGHT * tf.cast(num_tokens, tf.float32)

        fits = self.is_single & (size >= _NUM_TOKENS)
        return tf.cond(fits, were_right, lambda: tf.constant(False))

    def run(
        self, start: Iteration, numbers: tf.Tensor, size: tf.Tensor
    ) -> tuple[tf.Tensor, Iteration]:
        """Generate tokens as long as there is room for all of a pass.

        Args:
            start: The text.
            numbers: float32[size], the random numbers of its next tokens.
            size: int32[], how many tokens there is room for.

        Returns:
            How many tokens were generated, and the text.
        """
        drawn = self._chain.numbers(numbers)
        count, end = tf.while_loop(
            lambda i, now: (i + _NUM_TOKENS <= size) & tf.equal(now.state.finish[0], RUNNING),
            lambda i, now: self._iterate(
                i, now, numbers[i : i + _NUM_DRAFTS], drawn[i : i + _NUM_TOKENS]
            ),
            (tf.constant(0), start),
        )
        state, capacity = end.state, self._decoder.capacity(end.state.state)
        cleared = self._decoder.reserve(state.state, state.position, capacity)
        return count, end._replace(state=state._replace(state=cleared))

    def _iterate(self, i, now, numbers, drawn):
        """Process the newest token and the drafts; each is a row that draws the token after it."""
        state, rows = now.state, tf.range(_NUM_TOKENS)
        numbers = tf.ensure_shape(numbers, [_NUM_DRAFTS])
        drafts = self._drafter.draft(state.recent[0], numbers)
        tokens = tf.reshape(tf.concat([state.token, drafts], 0), [1, _NUM_TOKENS])
        hidden, cache = self._decoder.extend(tokens, state.state, state.position)
        token = self._chain.sample_plainly(self._decoder.logits(hidden[0]), drawn)
        progress = Progress(state.count + rows, state.finish, state.tail, now.overhang)
        progress, is_text = self._ends.advance(progress, token, watch=False)
        goes_on = tf.pad(tf.equal(token[:_NUM_DRAFTS], drafts), [[0, 1]])
        goes_on &= tf.equal(progress.finish, RUNNING)
        last = tf.argmin(tf.cast(goes_on, tf.int32), output_type=tf.int32)
        token = tf.maximum(token, 0)
        text_tokens = tf.where(is_text & (rows <= last), token, NO_TOKEN)
        recent = tf.concat([state.recent[0], token], 0)
        newest = tf.stack([token, progress.count, progress.finish])[:, last]
        state = state._replace(
            token=newest[:1],
            position=state.position + last + tf.cast(tf.equal(newest[2:], RUNNING), tf.int32),
            recent=recent[last + 1 :][None, : tf.shape(state.recent)[1]],
            count=newest[1:2],
            finish=newest[2:],
            state=cache,
        )
        outputs = self._recorder.record_tokens(now.outputs, i, text_tokens)
        return i + last + 1, now._replace(outputs=outputs, state=state)
