"""Contrastive search: likely tokens that are unlike the earlier ones.

Su et al. 2022, "A Contrastive Framework for Neural Text Generation"
(https://arxiv.org/abs/2202.06417). Of the k most likely next tokens, it takes the one that
maximizes

    (1 - alpha) p(v | x) - alpha max_j cos(h_v, h_j).

Here h_v is the vector from which the model predicts after it has processed the candidate v,
and h_j the same for the token x_j; j runs over the tokens in the window.

The first token of a healed prompt contains the bytes that were taken off it; see
`textgen.generation.healing`. It counts as a token, and its other bytes as text.

Letters in shapes: B batch, K candidates, V vocabulary, N tokens generated, C context
length, D hidden_dim.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.config import ContrastiveSearchConfig
from textgen.config.controls import controls_of
from textgen.generation.end_detector import EndDetector, Progress
from textgen.generation.healing import healing_bias, without_prompt
from textgen.generation.outputs import RUNNING, ContrastiveSearchOutput
from textgen.generation.prefill import prefill
from textgen.generation.prefix_tree import PrefixTree
from textgen.generation.rows import largest, repeat_rows
from textgen.generation.state import NO_TOKEN, Request
from textgen.generation.window import any_size, make_room, newest
from textgen.models.base import Decoder, State
from textgen.sampling.sampling_controls import clamp
from textgen.tokenizer.graph import GraphTokenizer

_NONE = float("-inf")
_CONTROLS = {control.name: control for control in controls_of(ContrastiveSearchConfig)}


class _Iteration(NamedTuple):
    """What one iteration passes to the next. The decoder has processed every token."""

    hidden: tf.Tensor  # float32[B, D], predicts the next token
    memory: tf.Tensor  # float32[B, C, D], h_j with a length of 1, the newest on the right
    position: tf.Tensor  # int32[B], tokens in the decoder's state
    recent: tf.Tensor  # int32[B, C], the newest tokens
    state: State
    token_ids: tf.Tensor  # int32[N, B]
    progress: Progress
    logprob: tf.Tensor  # float32[B]


class ContrastiveSearch:
    """Generates one batch of texts.

    Args:
        decoder: A snapshot of the model.
        tokenizer: The tokenizer of the model.
        tree: The tokens by their prefixes, if prompts are healed.
        request: What the caller asks for. Only `max_new_tokens`, `stop` and `bias` count; the
            bias is added to the logits.
        penalty_alpha: float32[B], alpha; clamped.
        top_k: int32[B], K of each row; clamped.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: GraphTokenizer,
        tree: PrefixTree | None,
        request: Request,
        penalty_alpha: tf.Tensor,
        top_k: tf.Tensor,
    ) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._tree = tree
        self._max_new_tokens = request.max_new_tokens
        self._bias = request.bias
        self._alpha = clamp(penalty_alpha, _CONTROLS["penalty_alpha"])[:, None]
        top_k = tf.minimum(clamp(top_k, _CONTROLS["top_k"]), decoder.vocab_size)
        self._top_k = top_k[:, None]
        self._num_candidates = largest(top_k, 1)
        self._batch_size = tf.shape(top_k)[0]
        self._ends = EndDetector(tokenizer, request.stop, request.max_new_tokens)

    def search(
        self, window: tf.Tensor, lengths: tf.Tensor, healing: tf.Tensor, deadline: tf.Tensor
    ) -> ContrastiveSearchOutput:
        """Continue every prompt.

        Args:
            window: int32[B, P], the prompts' tokens, padded on the right; no more than the
                decoder can hold.
            lengths: int32[B], tokens in each row; at least 1.
            healing: int32[B], the bytes that were taken off each prompt, as a node of the tree.
            deadline: float64[B], the time at which to skip to the end of a prompt, in seconds
                since 1970.
        """
        limit = largest(self._max_new_tokens)
        start = self._start(window, lengths, deadline)
        _, end = tf.while_loop(
            lambda i, now: (i < limit) & tf.reduce_any(_is_running(now)),
            lambda i, now: (i + 1, self._iterate(now, tf.where(tf.equal(i, 0), healing, 0))),
            (tf.constant(0), start),
            shape_invariants=(tf.TensorShape([]), tf.nest.map_structure(any_size, start)),
        )
        token_ids = tf.transpose(end.token_ids)
        first = self._ends.first_pieces(token_ids)
        _, healed = without_prompt(self._tree, healing, first)
        texts = self._ends.texts(token_ids, end.progress.overhang, end.progress.finish, healed)
        return ContrastiveSearchOutput(**texts, logprob=end.logprob)

    def _start(self, window, lengths, deadline):
        """Prefill the prompts."""
        context = self._decoder.config.context_length
        hidden, state = prefill(self._decoder, window, lengths, deadline, context)
        progress = self._ends.start()
        return _Iteration(
            hidden=hidden[:, -1],
            memory=tf.math.l2_normalize(hidden, -1),
            # A row that is finished from the start needs a position too, one that fits.
            position=tf.where(tf.equal(progress.finish, RUNNING), lengths, 0),
            recent=newest(window, lengths, context, NO_TOKEN),
            state=state,
            token_ids=tf.zeros([0, self._batch_size], tf.int32),
            progress=progress,
            logprob=tf.zeros([self._batch_size]),
        )

    def _iterate(self, now, node):
        """Let the decoder process every candidate, and keep its result for the best."""
        is_running = _is_running(now)
        logits = self._decoder.logits(now.hidden)
        probability, candidates = self._candidates(logits, node)
        now = self._make_room(now, is_running)
        hidden, state = self._decoder.step(
            tf.reshape(candidates, [tf.size(candidates)]),
            self._decoder.repeat_rows(now.state, self._num_candidates),
            self._repeat(now.position),
        )
        unit = tf.math.l2_normalize(hidden, -1)
        exists = probability >= 0
        value = (1 - self._alpha) * probability - self._alpha * self._similarity(unit, now)
        choice = tf.argmax(tf.where(exists, value, _NONE), 1, output_type=tf.int32)
        rows = tf.range(self._batch_size) * self._num_candidates + choice
        token = tf.gather(candidates, choice, batch_dims=1)
        has_token = tf.reduce_any(exists, axis=1)
        pieces, _ = without_prompt(self._tree, node, self._tokenizer.pieces(token))
        progress, is_text = self._ends.advance(now.progress, tf.where(has_token, token, -1), pieces)
        own = tf.gather(tf.nn.log_softmax(logits), token, batch_dims=1)
        return _Iteration(
            hidden=tf.gather(hidden, rows),
            memory=tf.concat([now.memory[:, 1:], tf.gather(unit, rows)[:, None]], 1),
            # Finished rows keep their position, which fits in the cache.
            position=now.position + tf.cast(tf.equal(progress.finish, RUNNING), tf.int32),
            recent=tf.concat([now.recent[:, 1:], token[:, None]], 1),
            state=self._decoder.take_rows(state, rows),
            token_ids=tf.concat([now.token_ids, tf.where(is_text, token, NO_TOKEN)[None]], 0),
            progress=progress,
            logprob=now.logprob + tf.where(is_running & has_token, own, 0.0),
        )

    def _candidates(self, logits, node):
        """The most likely tokens and their p, -1 if there are fewer, [B, K]."""
        logits += healing_bias(self._tree, node, self._bias)
        values, tokens = tf.math.top_k(logits, self._num_candidates)
        probability = tf.exp(values - tf.reduce_logsumexp(logits, 1, keepdims=True))
        # Banned tokens and NaN are no candidates.
        exists = (tf.range(self._num_candidates) < self._top_k) & (values > _NONE)
        return tf.where(exists & (probability >= 0), probability, -1.0), tokens

    def _make_room(self, now, is_running):
        """Make room for a token; a row that is prefilled again remembers only that part."""
        # Room is made for the candidates. Which tokens they are does not matter.
        recent = tf.pad(now.recent[:, 1:], [[0, 0], [0, 1]])
        position, state, hidden = make_room(
            self._decoder, now.state, now.position, is_running, recent
        )
        was_full = position < now.position

        def replace():
            missing = tf.shape(now.memory)[1] - tf.shape(hidden)[1]
            memory = tf.pad(tf.math.l2_normalize(hidden, -1), [[0, 0], [missing, 0], [0, 0]])
            return tf.where(was_full[:, None, None], memory, now.memory)

        memory = tf.cond(tf.reduce_any(was_full), replace, lambda: now.memory)
        return now._replace(position=position, state=state, memory=memory)

    def _similarity(self, unit, now):
        """The largest cosine of each candidate and a token in the window, [B, K]."""
        shape = [self._batch_size, self._num_candidates, self._decoder.config.hidden_dim]
        unit = tf.reshape(unit, shape)
        cosines = tf.matmul(unit, now.memory, transpose_b=True)  # (B, K, C)
        context = tf.shape(now.memory)[1]
        is_token = tf.range(context) >= context - now.position[:, None]
        return tf.reduce_max(tf.where(is_token[:, None], cosines, -1.0), 2)

    def _repeat(self, values):
        """Repeat every row once per candidate."""
        return repeat_rows(values, self._batch_size, self._num_candidates)


def _is_running(now):
    return tf.equal(now.progress.finish, RUNNING)
