"""Tokens that follow the automata of a batch; see `textgen.generation.automaton`."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.automaton import AutomatonFollower
from textgen.generation.outputs import RUNNING
from textgen.generation.state import GenerationState, Request
from textgen.sampling import Chain, uniform
from textgen.tokenizer.graph import GraphTokenizer

# The independent random sequences of a seed that draw instead of tokens that are not valid; others
# draw tokens and heal prompts.
_STREAMS = (4, 5)


class ValidTokens:
    """Keeps texts to their automata.

    Args:
        request: What the caller asks for.
        tokenizer: The tokenizer of the model.
        chain: Samples tokens.

    Attributes:
        is_used: bool[], whether any row has an automaton.
    """

    def __init__(self, request: Request, tokenizer: GraphTokenizer, chain: Chain) -> None:
        self._request = request
        self._eos = tokenizer.special.eos
        self._chain = chain
        batch_size = tf.shape(request.max_new_tokens)[0]
        self._follower = AutomatonFollower(request.automaton, batch_size, tokenizer)
        self.is_used = self._follower.is_used

    def ensure(
        self, state: GenerationState, logits: tf.Tensor, token: tf.Tensor, mu: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Follow the next tokens; sample again where one must not come next.

        Args:
            state: The texts so far.
            logits: float32[B, V], from which the tokens were sampled.
            token: int32[B]; -1 if none could be chosen.
            mu: float32[B], Mirostat's mu after it.

        Returns:
            Valid tokens, mu, and the states of the automata after them. A complete text whose
            token is not valid ends: its token is the EOS token.
        """

        def follow():
            follower, remaining = self._follower, self._request.max_new_tokens - state.count
            after, is_valid = follower.advance(state.followed, tf.maximum(token, 0), remaining)
            is_kept = (is_valid & (token >= 0)) | tf.not_equal(state.finish, RUNNING)
            return tf.cond(
                tf.reduce_all(is_kept),
                lambda: (token, mu, after),
                lambda: self._sample_again(state, logits, token, mu, is_kept),
            )

        return tf.cond(self.is_used, follow, lambda: (token, mu, state.followed))

    def _sample_again(self, state, logits, token, mu, is_kept):
        """Sample among the valid tokens, in the rows whose token is not kept."""
        rows = tf.where(~is_kept)
        followed, remaining = (
            tf.gather_nd(values, rows)
            for values in (state.followed, self._request.max_new_tokens - state.count)
        )
        allowed = self._follower.of_rows(tf.squeeze(rows, 1)).allowed(followed, remaining)
        mask = tf.tensor_scatter_nd_update(tf.fill(tf.shape(logits), True), rows, allowed)
        logits = tf.where(mask, logits, float("-inf"))
        seed, count = self._request.controls.seed, tf.cast(state.count, tf.int64)
        number, xtc_number = (uniform(seed, count, stream) for stream in _STREAMS)
        new, new_mu = self._chain.sample(logits, number, xtc_number, state.recent, state.mu)
        # Other controls may have left no token.
        biased = logits + self._request.bias
        is_left = tf.reduce_max(biased, 1) > float("-inf")
        new = tf.where((new < 0) & is_left, tf.argmax(biased, 1, tf.int32), new)
        new = tf.where(self._follower.is_complete(state.followed), self._eos, new)
        token = tf.where(is_kept, token, new)
        remaining = self._request.max_new_tokens - state.count
        after, _ = self._follower.advance(state.followed, tf.maximum(token, 0), remaining)
        return token, tf.where(is_kept, mu, new_mu), after

    def that_heal(self, state: GenerationState, begins: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return which first tokens of healed prompts are valid, bool[B, V].

        Args:
            state: The texts so far.
            begins: bool[B, V], the tokens that begin with the bytes taken off the prompt.
            size: int32[B], the number of these bytes.
        """
        remaining = self._request.max_new_tokens
        return begins & tf.cond(
            self.is_used,
            lambda: self._follower.allowed(state.followed, remaining, size),
            lambda: tf.fill(tf.shape(begins), True),
        )

    def after_healing(
        self, state: GenerationState, is_new: tf.Tensor, token: tf.Tensor, size: tf.Tensor
    ) -> tf.Tensor:
        """Return the states of the automata after the first token of a healed prompt, int32[B].

        Args:
            state: The texts before it.
            is_new: bool[B], the rows in which it adds to the prompt.
            token: int32[B].
            size: int32[B], the number of its bytes that belong to the prompt.
        """
        followed = state.followed

        def follow():
            remaining = self._request.max_new_tokens
            after, _ = self._follower.advance(followed, token, remaining, size)
            return tf.where(is_new, after, followed)

        return tf.cond(self.is_used, follow, lambda: followed)
