"""Choose tokens that do not complete a copy of the corpus; see `textgen.generation.copy_guard`."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.copy_guard import CopyGuard
from textgen.generation.outputs import RUNNING
from textgen.generation.state import GenerationState, Request
from textgen.generation.valid_tokens import ValidTokens
from textgen.gram_table import GRAM_BYTES
from textgen.sampling import Chain, uniform

# The independent random sequences of a seed that draw instead of tokens that copy.
_STREAMS = (6, 7)
# A token is drawn again with the numbers of a later token, which no text reaches.
_BETWEEN_DRAWS = 1 << 32


class NovelTokens:
    """Keeps texts from copying.

    Args:
        request: What the caller asks for.
        guard: Follows copies; `None` if the model has no table of its corpus.
        chain: Samples tokens.
        valid: Keeps texts to their automata.
        eos: The EOS token.

    Attributes:
        is_used: bool[], whether any row must not copy.
    """

    def __init__(
        self,
        request: Request,
        guard: CopyGuard | None,
        chain: Chain,
        valid: ValidTokens,
        eos: int,
    ) -> None:
        self._request = request
        self._guard = guard
        self._chain = chain
        self._valid = valid
        self._eos = eos
        self.is_used = tf.constant(False)
        if guard is not None:
            self.is_used = tf.reduce_any(request.novel > 0)

    def ensure(
        self,
        state: GenerationState,
        logits: tf.Tensor,
        token: tf.Tensor,
        mu: tf.Tensor,
        followed: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Sample again in rows whose next token completes a copy, until it doesn't.

        This draws from the distribution in which such tokens have no probability. If every
        continuation of a text is a copy, the text ends.

        Args:
            state: The texts so far.
            logits: float32[B, V], from which the tokens were sampled.
            token: int32[B], from `ValidTokens.ensure`, as are the next two.
            mu: float32[B].
            followed: int32[B].

        Returns:
            The tokens, mu, the states of the automata, and those of the guard.
        """
        guard = self._guard
        if guard is None:
            return token, mu, followed, state.copied

        def keep():
            first = (token, mu, followed, *self._advance(guard, state, token))
            _, _, (*kept, _) = tf.while_loop(
                lambda attempt, logits, new: tf.reduce_any(new[-1]),
                lambda attempt, logits, new: self._sample_again(guard, state, attempt, logits, new),
                (tf.constant(1), logits, first),
            )
            return tuple(kept)

        return tf.cond(self.is_used, keep, lambda: (token, mu, followed, state.copied))

    def _advance(self, guard, state, token):
        """Return the guard's states after tokens, and where these complete a copy, bool[B]."""
        after, longest = guard.advance(state.copied, tf.maximum(token, 0))
        novel = self._request.novel
        limit = tf.where(novel > 0, tf.maximum(novel, GRAM_BYTES), tf.int32.max)
        return after, (longest >= limit) & tf.equal(state.finish, RUNNING)

    def _sample_again(self, guard, state, attempt, logits, sampled):
        """Sample once more in the rows that copied, among all tokens but those drawn before."""
        *old, _, is_copy = sampled
        token = old[0]
        tried = tf.equal(tf.range(tf.shape(logits)[1]), token[:, None]) & is_copy[:, None]
        logits = tf.where(tried, float("-inf"), logits)
        index = tf.cast(state.count, tf.int64) + tf.cast(attempt, tf.int64) * _BETWEEN_DRAWS
        seed = self._request.controls.seed
        number, xtc_number = (uniform(seed, index, stream) for stream in _STREAMS)
        new, mu = self._chain.sample(logits, number, xtc_number, state.recent, state.mu)
        # Other controls may have left no token.
        biased = logits + self._request.bias
        is_left = tf.reduce_max(biased, 1) > float("-inf")
        new = tf.where((new < 0) & is_left, tf.argmax(biased, 1, tf.int32), new)
        new, mu, followed = self._valid.ensure(state, logits, new, mu)
        new = tf.where(is_left, new, self._eos)
        kept = [tf.where(is_copy, *pair) for pair in zip((new, mu, followed), old, strict=True)]
        return attempt + 1, logits, (*kept, *self._advance(guard, state, kept[0]))
