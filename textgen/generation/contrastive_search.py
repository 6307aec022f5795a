"""Contrastive search: likely tokens that are unlike what was said before.

Su et al. 2022, "A Contrastive Framework for Neural Text Generation"
(https://arxiv.org/abs/2202.06417). Of the k likeliest next tokens, the one is written
that makes

    (1 - alpha) p(v | x) - alpha max_j cos(h_v, h_j)

largest. h_v is the vector the model predicts from once it has read the candidate v, and
h_j the same of the token x_j; j runs over the tokens in the window.

Letters in shapes: B batch, K candidates, V vocabulary, N tokens written, C context
length, D hidden_dim.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.config import ContrastiveSearchConfig
from textgen.config.controls import controls_of
from textgen.generation.records import (
    ERROR,
    LENGTH,
    NO_TOKEN,
    RUNNING,
    STOP,
    ContrastiveSearched,
    Request,
)
from textgen.generation.rows import largest, repeat_rows
from textgen.generation.stopping import StopWatch
from textgen.generation.texts import make_texts
from textgen.generation.window import any_size, make_room, newest
from textgen.models.base import Decoder, State
from textgen.sampling.controls import clamp
from textgen.tokenizer.graph import GraphTokenizer

_NONE = float("-inf")
_CONTROLS = {control.name: control for control in controls_of(ContrastiveSearchConfig)}


class _Turn(NamedTuple):
    """What one turn of the loop hands to the next. The decoder has read every token."""

    hidden: tf.Tensor  # float32[B, D], to predict the next token from
    memory: tf.Tensor  # float32[B, C, D], h_j of length 1, the newest on the right
    position: tf.Tensor  # int32[B], tokens in the decoder's state
    recent: tf.Tensor  # int32[B, C], the newest tokens
    state: State
    token_ids: tf.Tensor  # int32[N, B]
    tail: tf.Tensor  # string[B], the newest bytes written
    overhang: tf.Tensor  # int32[B], bytes of the last token behind the stop string
    finish: tf.Tensor  # int32[B], index into FINISH_REASONS
    logprob: tf.Tensor  # float32[B]


class ContrastiveSearch:
    """Writes one batch of texts.

    Args:
        decoder: a snapshot of the model.
        tokenizer: of the same vocabulary.
        request: of which `max_new_tokens`, `stop` and `bias` count; the bias is added to
            the logits.
        penalty_alpha: float32[B], alpha; clamped.
        top_k: int32[B], K of each row; clamped.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: GraphTokenizer,
        request: Request,
        penalty_alpha: tf.Tensor,
        top_k: tf.Tensor,
    ) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._max_new_tokens = request.max_new_tokens
        self._bias = request.bias
        self._alpha = clamp(penalty_alpha, _CONTROLS["penalty_alpha"])[:, None]
        top_k = tf.minimum(clamp(top_k, _CONTROLS["top_k"]), decoder.vocab_size)
        self._top_k = top_k[:, None]
        self._num_candidates = largest(self._top_k[:, 0], 1)
        self._batch_size = tf.shape(top_k)[0]
        self._watch = StopWatch(request.stop, tokenizer.max_overhang)

    def search(self, window: tf.Tensor, lengths: tf.Tensor) -> ContrastiveSearched:
        """Continue every prompt.

        Args:
            window: int32[B, P], the prompts' tokens, padded on the right; no more than the
                decoder can hold.
            lengths: int32[B], tokens in each row; at least 1.
        """
        limit = largest(self._max_new_tokens)
        turn = self._first(window, lengths)
        _, end = tf.while_loop(
            lambda i, turn: (i < limit) & tf.reduce_any(tf.equal(turn.finish, RUNNING)),
            lambda i, turn: (i + 1, self._turn(i, turn)),
            (tf.constant(0), turn),
            shape_invariants=(tf.TensorShape([]), tf.nest.map_structure(any_size, turn)),
        )
        token_ids = tf.transpose(end.token_ids)
        return ContrastiveSearched(
            **make_texts(self._tokenizer, token_ids, end.overhang, end.finish),
            logprob=end.logprob,
        )

    def _first(self, window, lengths):
        """Read the prompts."""
        hidden, state = self._decoder.prefill(window, lengths)
        context = self._decoder.config.context_length
        none = tf.zeros_like(lengths)
        is_running = self._max_new_tokens > 0
        return _Turn(
            hidden=tf.gather(hidden, lengths - 1, batch_dims=1),
            memory=tf.math.l2_normalize(newest(hidden, lengths, context, 0.0), -1),
            # A row that writes nothing gets a place too, for which there is room.
            position=tf.where(is_running, lengths, 0),
            recent=newest(window, lengths, context, NO_TOKEN),
            state=state,
            token_ids=tf.zeros([0, self._batch_size], tf.int32),
            tail=tf.fill([self._batch_size], ""),
            overhang=none,
            finish=tf.where(is_running, RUNNING, LENGTH),
            logprob=tf.cast(none, tf.float32),
        )

    def _turn(self, i, turn):
        """Let the decoder read every candidate, and keep what it made of the best."""
        is_running = tf.equal(turn.finish, RUNNING)
        logits = self._decoder.logits(turn.hidden)
        probability, candidates = self._candidates(logits)
        turn = self._make_room(turn, is_running)
        hidden, state = self._decoder.step(
            tf.reshape(candidates, [tf.size(candidates)]),
            self._decoder.repeat_rows(turn.state, self._num_candidates),
            self._repeat(turn.position),
        )
        unit = tf.math.l2_normalize(hidden, -1)
        exists = probability >= 0
        value = (1 - self._alpha) * probability - self._alpha * self._likeness(unit, turn)
        choice = tf.argmax(tf.where(exists, value, _NONE), 1, output_type=tf.int32)
        rows = tf.range(self._batch_size) * self._num_candidates + choice
        token = tf.gather(candidates, choice, batch_dims=1)

        is_error = ~tf.reduce_any(exists, axis=1)
        written = is_running & ~is_error & tf.not_equal(token, self._tokenizer.special.eos)
        tail, stopped, overhang = self._watch.update(turn.tail, self._tokenizer.pieces(token))
        finish = tf.where(i + 1 >= self._max_new_tokens, LENGTH, RUNNING)
        finish = tf.where(stopped | ~written, STOP, finish)
        finish = tf.where(is_error, ERROR, finish)
        finish = tf.where(is_running, finish, turn.finish)
        own = tf.gather(tf.nn.log_softmax(logits), token, batch_dims=1)
        ids = tf.where(written, token, NO_TOKEN)
        return _Turn(
            hidden=tf.gather(hidden, rows),
            memory=tf.concat([turn.memory[:, 1:], tf.gather(unit, rows)[:, None]], 1),
            # A row at its end keeps its place, for which there is room.
            position=turn.position + tf.cast(tf.equal(finish, RUNNING), tf.int32),
            recent=tf.concat([turn.recent[:, 1:], token[:, None]], 1),
            state=self._decoder.take_rows(state, rows),
            token_ids=tf.concat([turn.token_ids, ids[None]], 0),
            tail=tail,
            overhang=tf.where(is_running & stopped, overhang, turn.overhang),
            finish=finish,
            logprob=turn.logprob + tf.where(is_running & ~is_error, own, 0.0),
        )

    def _candidates(self, logits):
        """The likeliest tokens, and p of each of them, -1 where there are fewer, [B, K]."""
        logits += self._bias
        values, tokens = tf.math.top_k(logits, self._num_candidates)
        probability = tf.exp(values - tf.reduce_logsumexp(logits, 1, keepdims=True))
        # Not what is not allowed, nor NaN.
        exists = (tf.range(self._num_candidates) < self._top_k) & (values > _NONE)
        return tf.where(exists & (probability >= 0), probability, -1.0), tokens

    def _make_room(self, turn, is_running):
        """Make room for a token; a row that is read again has a memory of that only."""
        # The candidates are what there must be room for: which they are does not matter.
        recent = tf.pad(turn.recent[:, 1:], [[0, 0], [0, 1]])
        position, state, hidden = make_room(
            self._decoder, turn.state, turn.position, is_running, recent
        )
        was_full = position < turn.position

        def replace():
            missing = tf.shape(turn.memory)[1] - tf.shape(hidden)[1]
            memory = tf.pad(tf.math.l2_normalize(hidden, -1), [[0, 0], [missing, 0], [0, 0]])
            return tf.where(was_full[:, None, None], memory, turn.memory)

        memory = tf.cond(tf.reduce_any(was_full), replace, lambda: turn.memory)
        return turn._replace(position=position, state=state, memory=memory)

    def _likeness(self, unit, turn):
        """The largest cosine of each candidate and a token in the window, [B, K]."""
        shape = [self._batch_size, self._num_candidates, self._decoder.config.hidden_dim]
        unit = tf.reshape(unit, shape)
        cosines = tf.matmul(unit, turn.memory, transpose_b=True)  # (B, K, C)
        context = tf.shape(turn.memory)[1]
        is_token = tf.range(context) >= context - turn.position[:, None]
        return tf.reduce_max(tf.where(is_token[:, None], cosines, -1.0), 2)

    def _repeat(self, values):
        """From a row for each text to one for each candidate."""
        return repeat_rows(values, self._batch_size, self._num_candidates)
