"""Beam search: follow several texts side by side to find a likely one.

The rules are those of Hugging Face's `generate(num_beams=K, do_sample=False)` with
`early_stopping=False`. Each iteration continues all K hypotheses of a row by all tokens and
takes the 2 K most likely of these candidates. Those among the first K that end are finished;
the first K that do not end are continued. A finished hypothesis scores

    logprob / length ** length_penalty,

where both count its EOS token. A row is done once K are finished and its best open
hypothesis, scored as if it ended now, is no better than the worst of the K best finished.

The first token of a healed prompt contains the bytes that were taken off it; see
`textgen.generation.healing`. It counts as a token, and its other bytes as text.

Letters in shapes: B batch, K beams, V vocabulary, N tokens generated, C context length.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.config import BeamSearchConfig
from textgen.config.controls import controls_of
from textgen.generation.end_detector import EndDetector
from textgen.generation.healing import healing_bias, without_prompt
from textgen.generation.outputs import ERROR, LENGTH, STOP, BeamSearchOutput
from textgen.generation.prefix_tree import PrefixTree
from textgen.generation.rows import largest, repeat_rows
from textgen.generation.state import NO_TOKEN, GenerationState, Request
from textgen.generation.window import any_size, make_room
from textgen.models.base import Decoder, State
from textgen.sampling.sampling_controls import clamp
from textgen.tokenizer.graph import GraphTokenizer

# The log-probability and the score of a missing hypothesis.
_NONE = float("-inf")
_CONTROLS = {control.name: control for control in controls_of(BeamSearchConfig)}


class _Hypothesis(NamedTuple):
    """The best finished hypothesis of every row; its length counts the EOS token."""

    score: tf.Tensor  # float32[B], -inf if there is none yet
    logprob: tf.Tensor  # float32[B]
    length: tf.Tensor  # int32[B]
    parent: tf.Tensor  # int32[B], the beam it continued with its last token
    token: tf.Tensor  # int32[B], that token
    overhang: tf.Tensor  # int32[B], bytes of that token that follow the stop string
    finish: tf.Tensor  # int32[B], index into FINISH_REASONS


class _Beams(NamedTuple):
    """The open hypotheses; those of a row are next to each other."""

    token: tf.Tensor  # int32[B K], the newest, which the decoder has not processed yet
    position: tf.Tensor  # int32[B K], tokens in the decoder's state
    recent: tf.Tensor  # int32[B K, C], the newest tokens
    tail: tf.Tensor  # string[B K], the newest bytes
    logprob: tf.Tensor  # float32[B, K], the best first
    state: State


class _Candidates(NamedTuple):
    """Hypotheses continued by one token, [B, 2 K], the most likely first."""

    logprob: tf.Tensor  # float32, -inf if there are fewer
    parent: tf.Tensor  # int32, the beam that is continued
    token: tf.Tensor  # int32
    is_end: tf.Tensor  # bool, whether the token is the EOS token or completes a stop string
    tail: tf.Tensor  # string, the newest bytes
    overhang: tf.Tensor  # int32, bytes of the token that follow the stop string


class _Iteration(NamedTuple):
    """What one iteration of the loop passes to the next."""

    beams: _Beams
    is_running: tf.Tensor  # bool[B]
    scores: tf.Tensor  # float32[B, K], the scores of the best finished ones, the best first
    best: _Hypothesis
    tokens: tf.Tensor  # int32[N, B, K], the newest tokens of the beams in each iteration
    parents: tf.Tensor  # int32[N, B, K], the beam of the previous iteration that each continued


class BeamSearch:
    """Searches for one batch of texts.

    Args:
        decoder: A snapshot of the model.
        tokenizer: The tokenizer of the model.
        tree: The tokens by their prefixes, if prompts are healed.
        request: What the caller asks for. Only `max_new_tokens`, `stop` and `bias` count; the
            bias is added to the log-probabilities.
        num_beams: int32[B], K of each row; clamped.
        length_penalty: float32[B]; clamped.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: GraphTokenizer,
        tree: PrefixTree | None,
        request: Request,
        num_beams: tf.Tensor,
        length_penalty: tf.Tensor,
    ) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._tree = tree
        self._max_new_tokens = request.max_new_tokens
        self._bias = request.bias
        self._num_beams = clamp(num_beams, _CONTROLS["num_beams"])
        self._length_penalty = clamp(length_penalty, _CONTROLS["length_penalty"])
        # All rows get as many beams as the row with most; those beyond a row's own stay empty.
        self._width = largest(self._num_beams, 1)
        self._batch_size = tf.shape(self._num_beams)[0]
        self._ends = EndDetector(
            tokenizer, self._repeat(request.stop, 2), self._repeat(request.max_new_tokens, 2)
        )

    def search(self, start: GenerationState) -> BeamSearchOutput:
        """Find a likely continuation of every prompt.

        Args:
            start: From `Generator.prefill`.
        """
        limit = largest(self._max_new_tokens)
        first = self._first(start)
        healing = start.healing
        _, end = tf.while_loop(
            lambda i, now: (i < limit) & tf.reduce_any(now.is_running),
            lambda i, now: (i + 1, self._iterate(i, now, healing)),
            (tf.constant(0), first),
            shape_invariants=(tf.TensorShape([]), tf.nest.map_structure(any_size, first)),
        )
        best, token_ids = end.best, self._trace(end)
        first = self._ends.first_pieces(token_ids)
        _, healed = without_prompt(self._tree, healing, first)
        return BeamSearchOutput(
            **self._ends.texts(token_ids, best.overhang, best.finish, healed),
            logprob=best.logprob,
            score=tf.where(best.length > 0, best.score, 0.0),
        )

    def _first(self, start):
        """Begin with one empty hypothesis per row."""
        none = tf.zeros_like(self._num_beams)
        zero = tf.zeros_like(self._length_penalty)
        in_order = tf.broadcast_to(tf.range(self._width), [self._batch_size, self._width])
        beams = _Beams(
            token=self._repeat(start.token),
            position=self._repeat(start.position),
            recent=self._repeat(start.recent),
            tail=self._repeat(start.tail),
            logprob=tf.where(tf.equal(in_order, 0), 0.0, _NONE),
            state=self._decoder.repeat_rows(start.state, self._width),
        )
        is_running = self._max_new_tokens > 0
        finish = tf.where(is_running, ERROR, LENGTH)
        best = _Hypothesis(zero + _NONE, zero, none, none, none, none, finish)
        nothing = tf.zeros([0, self._batch_size, self._width], tf.int32)
        scores = tf.fill([self._batch_size, self._width], _NONE)
        return _Iteration(beams, is_running, scores, best, nothing, nothing)

    def _iterate(self, i, now, healing):
        """Continue every hypothesis by one token; the first one of a row may be bound to begin
        with the bytes that were taken off the prompt."""
        beams = self._make_room(now.beams, now.is_running)
        hidden, state = self._decoder.step(beams.token, beams.state, beams.position)
        node = tf.where(tf.equal(i, 0), healing, 0)
        candidates = self._candidates(hidden, beams, node)
        is_full = i + 1 >= self._max_new_tokens
        is_over = candidates.is_end | is_full[:, None]
        # The score is the log-probability divided by this: all candidates have one length.
        divisor = tf.cast(i + 1, tf.float32) ** self._length_penalty
        scores, best = self._finish(i, now, candidates, is_over, divisor)

        logprob, chosen = self._take(tf.where(is_over, _NONE, candidates.logprob))
        token, parent, tail = (
            tf.gather(values, chosen, batch_dims=1)
            for values in (candidates.token, candidates.parent, candidates.tail)
        )
        worst = _pick(scores, self._num_beams - 1)
        is_running = now.is_running & ~is_full & (logprob[:, 0] / divisor > worst)
        rows = _flat(parent + tf.range(self._batch_size)[:, None] * self._width)
        beams = _Beams(
            token=_flat(token),
            # Finished rows keep their position, which fits in the cache.
            position=beams.position + self._repeat(tf.cast(is_running, tf.int32)),
            recent=tf.concat([tf.gather(beams.recent, rows)[:, 1:], _flat(token)[:, None]], 1),
            tail=_flat(tail),
            logprob=logprob,
            state=self._decoder.take_rows(state, rows),
        )
        tokens = tf.concat([now.tokens, token[None]], 0)
        parents = tf.concat([now.parents, parent[None]], 0)
        return _Iteration(beams, is_running, scores, best, tokens, parents)

    def _make_room(self, beams, is_running):
        position, state, _ = make_room(
            self._decoder, beams.state, beams.position, self._repeat(is_running), beams.recent
        )
        return beams._replace(position=position, state=state)

    def _candidates(self, hidden, beams, node):
        """Return the 2 K most likely continuations of every row."""
        bias = healing_bias(self._tree, node, self._bias)
        logprobs = tf.nn.log_softmax(self._decoder.logits(hidden))
        shape = [self._batch_size, self._width, self._decoder.vocab_size]
        logprobs = tf.reshape(logprobs, shape) + bias[:, None] + beams.logprob[:, :, None]
        logprobs = tf.where(tf.math.is_nan(logprobs), _NONE, logprobs)
        flat = tf.reshape(logprobs, [shape[0], shape[1] * shape[2]])
        values, places = tf.math.top_k(flat, 2 * self._width)
        parent, token = places // shape[2], places % shape[2]
        tail = tf.gather(tf.reshape(beams.tail, shape[:2]), parent, batch_dims=1)
        pieces = self._tokenizer.pieces(_flat(token))
        pieces, _ = without_prompt(self._tree, self._repeat(node, 2), pieces)
        match = self._ends.match(_flat(tail), _flat(token), pieces)
        tail, is_end, overhang = (tf.reshape(tensor, tf.shape(token)) for tensor in match)
        return _Candidates(
            logprob=tf.where(tf.range(2 * self._width) < self._own(2), values, _NONE),
            parent=parent,
            token=token,
            is_end=is_end,
            tail=tail,
            overhang=overhang,
        )

    def _finish(self, i, now, candidates, is_over, divisor):
        """Add the candidates that are over to the scores, and keep the best of all."""
        counts = now.is_running[:, None] & (tf.range(2 * self._width) < self._own(1))
        score = tf.where(counts & is_over, candidates.logprob / divisor[:, None], _NONE)
        scores, _ = self._take(tf.concat([now.scores, score], 1))
        first = tf.argmax(score, axis=1, output_type=tf.int32)
        found = _Hypothesis(
            score=_pick(score, first),
            logprob=_pick(candidates.logprob, first),
            length=tf.fill(tf.shape(first), i + 1),
            parent=_pick(candidates.parent, first),
            token=_pick(candidates.token, first),
            overhang=_pick(candidates.overhang, first),
            finish=tf.where(_pick(candidates.is_end, first), STOP, LENGTH),
        )
        is_better = found.score > now.best.score
        pairs = zip(found, now.best, strict=True)
        return scores, _Hypothesis(*(tf.where(is_better, new, old) for new, old in pairs))

    def _take(self, values):
        """The K largest values of each row; -inf beyond the row's own number of beams."""
        values, places = tf.math.top_k(values, self._width)
        return tf.where(tf.range(self._width) < self._own(1), values, _NONE), places

    def _own(self, times):
        """The row's own number of beams multiplied by `times`, int32[B, 1]."""
        return times * self._num_beams[:, None]

    def _repeat(self, values, times=1):
        """Repeat every row once per beam, multiplied by `times`."""
        return repeat_rows(values, self._batch_size, times * self._width)

    def _trace(self, end):
        """Follow the best hypotheses back from their last token, int32[B, N]."""
        best = end.best

        def back(i, beam, token_ids):
            is_last, is_in = tf.equal(i, best.length - 1), i < best.length
            token = tf.where(is_last, best.token, _pick(end.tokens[i], beam))
            parent = tf.where(is_last, best.parent, _pick(end.parents[i], beam))
            token = tf.where(is_in & ~self._ends.is_eos(token), token, NO_TOKEN)
            token_ids = tf.tensor_scatter_nd_update(token_ids, [[i]], token[None])
            return i - 1, tf.where(is_in, parent, beam), token_ids

        empty = tf.fill(tf.shape(end.tokens)[:2], NO_TOKEN)
        start = (tf.shape(end.tokens)[0] - 1, tf.zeros_like(best.parent), empty)
        return tf.transpose(tf.while_loop(lambda i, *_: i >= 0, back, start)[2])


def _flat(values):
    return tf.reshape(values, [tf.size(values)])


def _pick(values, places):
    """Return one value of each row, [B], from [B, M]."""
    return tf.gather(values, places, batch_dims=1)
