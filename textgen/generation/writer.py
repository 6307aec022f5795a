"""The decode loop: every turn reads the newest token and writes the next one."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from textgen.generation.records import (
    ERROR,
    LENGTH,
    NO_TOKEN,
    RUNNING,
    STOP,
    TIME,
    Request,
    Writing,
)
from textgen.generation.rows import largest
from textgen.generation.stopping import StopWatch
from textgen.generation.window import BLOCK, any_size, make_room, room
from textgen.models.base import Decoder
from textgen.sampling import Chain, uniform
from textgen.tokenizer.graph import GraphTokenizer

# The characters at which a sequence ends for DRY, as in llama.cpp.
_BREAKERS = ["\n", ":", '"', "*"]


class Notes(NamedTuple):
    """What is noted of every token; see `Written`.

    Inside the loop the token's index is the first dimension, the row the second.
    """

    token_ids: tf.Tensor
    logprobs: tf.Tensor
    top_token_ids: tf.Tensor
    top_logprobs: tf.Tensor


class _Turn(NamedTuple):
    """What one turn of the loop hands to the next."""

    notes: Notes
    overhang: tf.Tensor  # int32[B], bytes of the last token behind the stop string
    writing: Writing


class Writer:
    """Writes one batch of texts.

    Args:
        decoder: a snapshot of the model.
        tokenizer: of the same vocabulary.
        request: what is asked for.
    """

    def __init__(self, decoder: Decoder, tokenizer: GraphTokenizer, request: Request) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._request = request
        breakers = tokenizer.tokens_with(tf.constant([_BREAKERS]))[0]
        self._chain = Chain(request.controls, request.bias, breakers)
        self._watch = StopWatch(request.stop, tokenizer.max_overhang)
        self._wants_logprobs = tf.reduce_any(request.logprobs >= 0)
        self._num_alternatives = tf.minimum(largest(request.logprobs), decoder.vocab_size)
        # Between two blocks passes the time of a token or two of a small model: where no clock
        # has to be looked at, they are as long as there is room.
        is_timed = tf.reduce_any(request.deadline < float("inf"))
        self._patience = tf.where(is_timed, BLOCK, tf.int32.max)
        self._has_minimum = tf.reduce_any(request.min_new_tokens > 0)
        is_special = self._watch.is_watching | self._wants_logprobs | self._has_minimum
        self._is_plain = self._chain.is_plain & ~is_special

    def write(self, writing: Writing, limit: tf.Tensor) -> tuple[Notes, tf.Tensor, Writing]:
        """Write on for at most `limit` tokens.

        Returns:
            The notes with the row first; int32[B], how many bytes of the last token follow
            its stop string; and the writing as it is then.
        """
        is_new = tf.equal(writing.count, 0)
        writing = writing._replace(
            mu=tf.where(is_new, self._chain.initial_mu, writing.mu),
            finish=_finish(writing, writing.count >= self._request.max_new_tokens, LENGTH),
        )
        start = (
            tf.constant(0),
            # As long as what is written, not as what may be: one row of a server's batch that asks
            # for a billion tokens must not take the memory of the others.
            _Turn(self._blank(0), tf.zeros_like(writing.count), writing),
        )

        def block(index, total):
            """Write a few tokens: between two blocks the cache may grow and the time be up."""
            writing = self._make_room(self._end_late(total.writing), is_first=tf.equal(index, 0))
            size = tf.minimum(tf.minimum(self._room(writing), self._patience), limit - index)
            numbers = self._numbers(writing, size)

            def turns(is_plain):
                return tf.while_loop(
                    lambda i, part: (i < size) & _any_running(part.writing),
                    lambda i, part: (i + 1, self._turn(i, tf.gather(numbers, i), part, is_plain)),
                    (tf.constant(0), _Turn(self._blank(size), total.overhang, writing)),
                )

            # What most texts ask for has a loop of its own: four conditions a token, none of
            # which ever holds, take a seventh of a small model's time.
            count, part = tf.cond(self._is_plain, lambda: turns(True), lambda: turns(False))
            notes = tf.nest.map_structure(
                lambda note, new: tf.concat([note, new[:count]], 0), total.notes, part.notes
            )
            return index + count, part._replace(notes=notes)

        _, end = tf.while_loop(
            lambda index, total: (index < limit) & _any_running(total.writing),
            block,
            start,
            shape_invariants=tf.nest.map_structure(any_size, start),
        )
        notes = tf.nest.map_structure(_row_first, end.notes)
        notes = notes._replace(
            top_token_ids=notes.top_token_ids[:, :, : self._num_alternatives],
            top_logprobs=notes.top_logprobs[:, :, : self._num_alternatives],
        )
        return notes, end.overhang, end.writing

    def _turn(self, i, numbers, part, is_plain):
        """Read the newest token of every row, write the next one."""
        writing, request = part.writing, self._request
        hidden, state = self._decoder.step(writing.token, writing.state, writing.position)
        logits = self._decoder.logits(hidden)
        number, xtc_number = tf.unstack(numbers, 2)
        if is_plain:
            token, mu = self._chain.sample_plainly(logits, number), writing.mu
        else:
            allowed = self._without_end(logits, writing.count)
            token, mu = self._chain.sample(allowed, number, xtc_number, writing.recent, writing.mu)
        running = tf.equal(writing.finish, RUNNING)
        is_error = token < 0
        written = running & tf.not_equal(token, self._tokenizer.special.eos) & ~is_error
        token = tf.maximum(token, 0)
        count = writing.count + tf.cast(written, tf.int32)
        finish = tf.where(count >= request.max_new_tokens, LENGTH, RUNNING)
        tokens = tf.where(written, token, NO_TOKEN)
        notes, tail, overhang = part.notes, writing.tail, part.overhang
        if is_plain:
            notes = notes._replace(token_ids=_put(notes.token_ids, i, tokens))
        else:
            notes = self._note(notes, i, tokens, logits)
            tail, stopped, new_overhang = self._watch.update(tail, self._tokenizer.pieces(token))
            stopped = stopped & (count >= request.min_new_tokens)
            finish = tf.where(stopped, STOP, finish)
            overhang = tf.where(running & stopped, new_overhang, overhang)
        finish = tf.where(written, finish, STOP)
        finish = tf.where(is_error, ERROR, finish)
        finish = tf.where(running, finish, writing.finish)
        writing = Writing(
            token=token,
            # A row at its end keeps its place, for which there is room.
            position=writing.position + tf.cast(tf.equal(finish, RUNNING), tf.int32),
            recent=tf.concat([writing.recent[:, 1:], token[:, None]], axis=1),
            count=count,
            finish=finish,
            tail=tail,
            mu=mu,
            state=state,
        )
        return _Turn(notes, overhang, writing)

    def _without_end(self, logits, count):
        """Keep rows that are too short from choosing the end."""

        def ban():
            is_end = tf.equal(tf.range(self._decoder.vocab_size), self._tokenizer.special.eos)
            too_short = count < self._request.min_new_tokens
            return tf.where(is_end & too_short[:, None], float("-inf"), logits)

        return tf.cond(self._has_minimum, ban, lambda: logits)

    def _numbers(self, writing, size):
        """Random numbers for the next tokens, float32[size, 2, B]: for the draw, for XTC."""
        index = tf.cast(writing.count + tf.range(size)[:, None], tf.int64)
        seed = self._request.controls.seed
        return tf.stack([uniform(seed, index), uniform(seed, index, stream=1)], axis=1)

    def _end_late(self, writing):
        """End the rows whose time is up."""
        is_late = self._request.deadline <= tf.timestamp()
        return writing._replace(finish=_finish(writing, is_late, TIME))

    def _make_room(self, writing, is_first):
        """Give every running row room for one token more."""

        def make():
            position, state, _ = make_room(
                *(self._decoder, writing.state, writing.position),
                *(tf.equal(writing.finish, RUNNING), writing.recent),
            )
            return position, state

        # It copies the cache; the first time also blanks what another origin left in it.
        position, state = tf.cond(
            is_first | (self._room(writing) < 1), make, lambda: (writing.position, writing.state)
        )
        return writing._replace(position=position, state=state)

    def _room(self, writing):
        """How many tokens every running row can take before `_make_room` is needed."""
        is_running = tf.equal(writing.finish, RUNNING)
        return room(self._decoder, writing.state, writing.position, is_running)

    def _blank(self, size):
        """Notes of `size` tokens that are not yet written."""
        batch_size = tf.shape(self._request.logprobs)[0]
        measured = tf.where(self._wants_logprobs, size, 0)
        # One alternative where none is asked for: TensorFlow updates no empty tensor.
        ranked = [measured, batch_size, tf.maximum(self._num_alternatives, 1)]
        return Notes(
            tf.fill([size, batch_size], NO_TOKEN),
            tf.zeros([measured, batch_size]),
            tf.fill(ranked, NO_TOKEN),
            tf.zeros(ranked),
        )

    def _note(self, notes, i, tokens, logits):
        """Write down what there is to say of token `i` of every row."""

        def measure():
            logprobs = tf.nn.log_softmax(logits)
            top = tf.math.top_k(logprobs, tf.maximum(self._num_alternatives, 1))
            own = tf.gather(logprobs, tf.maximum(tokens, 0), batch_dims=1)
            written = tokens >= 0
            values = (
                tf.where(written, own, 0.0),
                tf.where(written[:, None], top.indices, NO_TOKEN),
                tf.where(written[:, None], top.values, 0.0),
            )
            return tuple(map(lambda note, value: _put(note, i, value), notes[1:], values))

        measured = tf.cond(self._wants_logprobs, measure, lambda: tuple(notes[1:]))
        return Notes(_put(notes.token_ids, i, tokens), *measured)


def _put(note, i, value):
    return tf.tensor_scatter_nd_update(note, [[i]], value[None])


def _finish(writing, condition, reason):
    return tf.where(condition & tf.equal(writing.finish, RUNNING), reason, writing.finish)


def _any_running(writing):
    return tf.reduce_any(tf.equal(writing.finish, RUNNING))


def _row_first(note):
    return tf.transpose(note, [1, 0, *range(2, note.shape.rank)])
