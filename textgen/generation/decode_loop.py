"""The decode loop: every iteration processes the newest token and samples the next one."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.copy_guard import CopyGuard
from textgen.generation.draft_table import Drafter, DraftTable
from textgen.generation.drafted_loop import DraftedLoop
from textgen.generation.end_detector import EndDetector, Progress
from textgen.generation.healing import healing_bias, without_prompt
from textgen.generation.iteration import Iteration
from textgen.generation.novel_tokens import NovelTokens
from textgen.generation.outputs import LENGTH, RUNNING, TIME, GenerationOutput
from textgen.generation.plain_loop import PlainLoop
from textgen.generation.prefix_tree import PrefixTree
from textgen.generation.state import NO_TOKEN, GenerationState, Request
from textgen.generation.token_outputs import TokenRecorder
from textgen.generation.valid_tokens import ValidTokens
from textgen.generation.window import BLOCK, any_size, make_room, room
from textgen.models.base import Decoder
from textgen.sampling import Chain, uniform
from textgen.tokenizer.graph import GraphTokenizer

# The characters at which a sequence ends for DRY, as in llama.cpp.
_BREAKERS = ["\n", ":", '"', "*"]


class DecodeLoop:
    """Generates one batch of texts.

    Args:
        decoder: A snapshot of the model.
        tokenizer: The tokenizer of the model.
        request: What the caller asks for.
        tree: The tokens by their prefixes, if prompts are healed.
        guard: Follows what texts copy, if the model has a table of its corpus.
        drafts: What to guess tokens by, if that is faster.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: GraphTokenizer,
        request: Request,
        tree: PrefixTree | None = None,
        guard: CopyGuard | None = None,
        drafts: DraftTable | None = None,
    ) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._request = request
        self._tree = tree
        self._breakers = tokenizer.tokens_with(tf.constant([_BREAKERS]))[0]
        self._chain = Chain(request.controls, request.bias, self._breakers)
        self._ends = EndDetector(
            tokenizer, request.stop, request.max_new_tokens, request.min_new_tokens
        )
        self._valid = ValidTokens(request, tokenizer, self._chain)
        self._novel = NovelTokens(request, guard, self._chain, self._valid, tokenizer.special.eos)
        self._recorder = TokenRecorder(request.logprobs, decoder.vocab_size)
        # A block takes as long as a token or two of a small model. If no clock has to be
        # watched, blocks are as long as the capacity of the state.
        is_timed = tf.reduce_any(request.deadline < float("inf"))
        self._max_block = tf.where(is_timed, BLOCK, tf.int32.max)
        self._has_minimum = tf.reduce_any(request.min_new_tokens > 0)
        is_special = self._ends.is_watching | self._recorder.is_asked | self._has_minimum
        is_special |= self._valid.is_used | self._novel.is_used
        self._is_plain = self._chain.is_plain & ~is_special
        common = (decoder, self._chain, self._ends, self._recorder)
        self._plain = PlainLoop(*common, request.max_new_tokens)
        self._drafted = None
        if drafts is not None:
            self._drafted = DraftedLoop(*common, Drafter(drafts), request.controls.seed)

    def run(
        self, state: GenerationState, limit: tf.Tensor
    ) -> tuple[GenerationOutput, GenerationState]:
        """Continue every text by at most `limit` tokens.

        Returns:
            What was generated, and the state to continue from.
        """
        is_new = tf.equal(state.count, 0)
        state = state._replace(
            mu=tf.where(is_new, self._chain.initial_mu, state.mu),
            finish=_finish(state, state.count >= self._request.max_new_tokens, LENGTH),
        )
        first, healed, overhang, state = self._first_token(state, limit)
        start = (
            tf.constant(0),
            # The outputs grow with the tokens that are generated, not those that may be: a row
            # of a server's batch that asks for a billion tokens must not take all memory.
            Iteration(self._recorder.empty(0), overhang, state),
        )

        def block(index, total):
            """Generate some tokens; between blocks the state may grow and the time may end."""
            state = self._make_room(self._end_late(total.state), is_first=tf.equal(index, 0))
            size = tf.minimum(tf.minimum(self._room(state), self._max_block), limit - index)
            if self._drafted is not None:
                size = tf.minimum(size, self._drafted.max_block(state))
            numbers = self._numbers(state, size)
            begin = Iteration(self._recorder.empty(size), total.overhang, state)

            def iterate():
                return tf.while_loop(
                    lambda i, part: (i < size) & _any_running(part.state),
                    lambda i, part: (i + 1, self._iterate(i, tf.gather(numbers, i), part)),
                    (tf.constant(0), begin),
                )

            def iterate_plainly():
                plain, drafted = self._plain, self._drafted
                if drafted is None:
                    return plain.run(begin, numbers[:, 0], size)
                return tf.cond(
                    drafted.pays(state, size),
                    lambda: drafted.run(begin, numbers[:, 0, 0], size),
                    lambda: plain.run(begin, numbers[:, 0], size),
                )

            # What most texts ask for has its own loop, whose tokens take half the operations.
            count, part = tf.cond(self._is_plain, iterate_plainly, iterate)
            outputs = tf.nest.map_structure(
                lambda old, new: tf.concat([old, new[:count]], 0), total.outputs, part.outputs
            )
            return index + count, part._replace(outputs=outputs)

        _, end = tf.while_loop(
            lambda index, total: (index < limit) & _any_running(total.state),
            block,
            start,
            shape_invariants=tf.nest.map_structure(any_size, start),
        )
        outputs = tf.cond(
            tf.reduce_any(healed > 0),
            lambda: self._recorder.prepend(first, end.outputs),
            lambda: end.outputs,
        )
        outputs = self._recorder.batch_first(outputs)
        texts = self._ends.texts(outputs.token_ids, end.overhang, end.state.finish, healed)
        return GenerationOutput(**{**outputs._asdict(), **texts}), end.state

    def _first_token(self, state, limit):
        """Generate the first token of the rows whose prompt is healed, if there are any.

        Returns:
            The outputs of one token, -1 in rows without one; int32[B], bytes of that token that
            belong to the prompt; int32[B], bytes of it that follow a stop string; and the state.
        """
        none = tf.zeros_like(state.count)
        nothing = (self._recorder.empty(1), none, none, state)
        tree = self._tree
        if tree is None:
            return nothing
        return tf.cond(
            (limit > 0) & tf.reduce_any(state.healing > 0),
            lambda: self._heal(state, tree),
            lambda: nothing,
        )

    def _heal(self, state, tree):
        """Generate a token that begins with the bytes that were taken off the prompt."""
        state = self._make_room(self._end_late(state), is_first=tf.constant(True))
        node, request = state.healing, self._request
        is_healing = (node > 0) & tf.equal(state.finish, RUNNING)
        hidden, cache = self._decoder.step(state.token, state.state, state.position)
        logits = self._decoder.logits(hidden)
        exact = tree.token_of(node)
        begins = self._valid.that_heal(state, tree.tokens_from(node), tree.size_of(node))
        bias = healing_bias(tree, node, request.bias, begins)
        chain = Chain(request.controls, bias, self._breakers)
        seed = request.controls.seed
        number, xtc_number = (uniform(seed, tf.zeros_like(seed), stream) for stream in (2, 3))
        token, _ = chain.sample(logits, number, xtc_number, state.recent, chain.initial_mu)
        # Other controls may leave no token.
        token = tf.where(token < 0, tf.argmax(logits + bias, 1, tf.int32), token)
        pieces, healed = without_prompt(tree, node, self._tokenizer.pieces(token))
        old = Progress(state.count, state.finish, state.tail, tf.zeros_like(state.count))
        new, is_text = self._ends.advance(old, token, pieces)
        is_new = is_healing & is_text & tf.not_equal(token, exact)
        progress = Progress(*(tf.where(is_new, n, o) for n, o in zip(new, old, strict=True)))
        text_token = tf.where(is_new, token, NO_TOKEN)
        first = self._recorder.record(self._recorder.empty(1), 0, text_token, logits)
        is_running = is_healing & tf.equal(progress.finish, RUNNING)
        recent = tf.concat([state.recent[:, 1:], token[:, None]], axis=1)
        state = state._replace(
            token=tf.where(is_healing, token, state.token),
            position=state.position + tf.cast(is_running, tf.int32),
            recent=tf.where(is_healing[:, None], recent, state.recent),
            count=progress.count,
            finish=progress.finish,
            tail=progress.tail,
            healing=tf.zeros_like(node),
            followed=self._valid.after_healing(state, is_new, token, healed),
            state=self._decoder.select_rows(is_healing, cache, state.state),
        )
        return first, tf.where(is_new, healed, 0), progress.overhang, state

    def _iterate(self, i, numbers, part):
        """Process the newest token of every row, and sample the next one."""
        state = part.state
        hidden, cache = self._decoder.step(state.token, state.state, state.position)
        logits = self._decoder.logits(hidden)
        number, xtc_number = tf.unstack(numbers, 2)
        allowed = self._without_eos(logits, state.count)
        sample = self._chain.sample(allowed, number, xtc_number, state.recent, state.mu)
        kept = self._valid.ensure(state, allowed, *sample)
        token, mu, followed, copied = self._novel.ensure(state, allowed, *kept)
        progress = Progress(state.count, state.finish, state.tail, part.overhang)
        progress, is_text = self._ends.advance(progress, token)
        token = tf.maximum(token, 0)
        text_token = tf.where(is_text, token, NO_TOKEN)
        outputs = self._recorder.record(part.outputs, i, text_token, logits)
        state = GenerationState(
            token=token,
            # Finished rows keep their position, which fits in the cache.
            position=state.position + tf.cast(tf.equal(progress.finish, RUNNING), tf.int32),
            recent=tf.concat([state.recent[:, 1:], token[:, None]], axis=1),
            count=progress.count,
            finish=progress.finish,
            tail=progress.tail,
            mu=mu,
            healing=state.healing,
            followed=followed,
            state=cache,
            copied=copied,
        )
        return Iteration(outputs, progress.overhang, state)

    def _without_eos(self, logits, count):
        """Ban the EOS token from rows that are too short."""

        def ban():
            is_eos = self._ends.is_eos(tf.range(self._decoder.vocab_size))
            is_short = count < self._request.min_new_tokens
            return tf.where(is_eos & is_short[:, None], float("-inf"), logits)

        return tf.cond(self._has_minimum, ban, lambda: logits)

    def _numbers(self, state, size):
        """Random numbers of the next tokens, float32[size, 2, B]: for the draw and for XTC."""
        index = tf.cast(state.count + tf.range(size)[:, None], tf.int64)
        seed = self._request.controls.seed
        return tf.stack([uniform(seed, index), uniform(seed, index, stream=1)], axis=1)

    def _end_late(self, state):
        """End the rows whose time is over, which have at least one token."""
        is_late = (self._request.deadline <= tf.timestamp()) & (state.count > 0)
        return state._replace(finish=_finish(state, is_late, TIME))

    def _make_room(self, state, is_first):
        """Make room for one more token in every running row."""

        def make():
            is_running = tf.equal(state.finish, RUNNING)
            position, cache, _ = make_room(
                self._decoder, state.state, state.position, is_running, state.recent
            )
            return position, cache

        # This copies the cache. The first time, it also clears what a server may have padded.
        position, cache = tf.cond(
            is_first | (self._room(state) < 1), make, lambda: (state.position, state.state)
        )
        return state._replace(position=position, state=cache)

    def _room(self, state):
        """How many tokens every running row can take before `_make_room` is needed."""
        is_running = tf.equal(state.finish, RUNNING)
        return room(self._decoder, state.state, state.position, is_running)


def _finish(state, condition, reason):
    return tf.where(condition & tf.equal(state.finish, RUNNING), reason, state.finish)


def _any_running(state):
    return tf.reduce_any(tf.equal(state.finish, RUNNING))
