"""The generator: what a model, its tokenizer and the samplers do together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.config.controls import LARGE
from textgen.generation.beam_search import BeamSearch
from textgen.generation.contrastive_search import ContrastiveSearch
from textgen.generation.graph_inputs import default_inputs, make_request
from textgen.generation.records import (
    NO_TOKEN,
    BeamSearched,
    ContrastiveSearched,
    Request,
    Writing,
    Written,
)
from textgen.generation.rows import largest
from textgen.generation.scoring import Scored, score
from textgen.generation.texts import make_texts
from textgen.generation.window import newest
from textgen.generation.writer import Writer
from textgen.models.base import Decoder, LanguageModel
from textgen.sampling.controls import between
from textgen.tokenizer import Tokenizer
from textgen.tokenizer.graph import GraphTokenizer


class Generator(tf.Module):
    """A decoder, its tokenizer and what the two must know of each other.

    Args:
        decoder: writes tokens.
        tokenizer: of the same vocabulary.
        boundary: id put before every prompt (`Tokenizer.prefix_id`).
        has_documents: whether the end token was trained; where it was not, it is
            never sampled.
    """

    def __init__(
        self, decoder: Decoder, tokenizer: GraphTokenizer, boundary: int, has_documents: bool
    ) -> None:
        super().__init__(name="generator")
        self.decoder = decoder
        self.tokenizer = tokenizer
        self._boundary = boundary
        self._has_documents = has_documents

    @classmethod
    def of_model(cls, model: LanguageModel, tokenizer: Tokenizer, has_documents: bool) -> Generator:
        """Return a generator that writes as a model does now.

        Args:
            model: in training, or trained.
            tokenizer: of its vocabulary.
            has_documents: whether it was trained on whole documents.
        """
        boundary = tokenizer.prefix_id(has_documents)
        return cls(model.decoder(), tokenizer.in_graph(), boundary, has_documents)

    def with_decoder(self, decoder: Decoder) -> Generator:
        """Return a generator that differs in the decoder."""
        return Generator(decoder, self.tokenizer, self._boundary, self._has_documents)

    def generate(self, prompts: tf.Tensor, inputs: Mapping[str, Any] | None = None) -> Written:
        """Continue every prompt.

        Args:
            prompts: string[B], UTF-8; may be empty.
            inputs: what else is asked for, by the names of `default_inputs`; tensors of one
                row each, or B.
        """
        request = self.request(prompts, {**default_inputs(), **(inputs or {})})
        return self.write(self.prefill(prompts), request, request.max_new_tokens)[0]

    def request(self, prompts: tf.Tensor, inputs: Mapping[str, Any]) -> Request:
        """Bring what a caller gave into the form that `write` takes; see `make_request`."""
        return make_request(inputs, tf.shape(prompts)[0], self.bias)

    def bias(self, texts: tf.Tensor, bias: tf.Tensor, banned: tf.Tensor) -> tf.Tensor:
        """Return what is added to the logits, float32[B, V].

        Args:
            texts: string[B, L], whose tokens get a bias.
            bias: float32[B, L], one for each of them, -1e6 to 1e6 or -inf.
            banned: string[B, M]; no token with one of their characters is written.
        """
        batch_size, vocab_size = tf.shape(texts)[0], self.decoder.vocab_size
        ids, lengths = self.tokenizer.encode(tf.reshape(texts, [-1]))
        is_token = tf.sequence_mask(lengths, tf.shape(ids)[1])
        hits = tf.one_hot(ids, vocab_size, on_value=True, off_value=False, dtype=tf.bool)
        named = tf.cast(tf.reduce_any(hits & is_token[..., None], 1), tf.float32)
        named = tf.reshape(named, [batch_size, tf.shape(texts)[1], vocab_size])
        # Their sum must not come to infinity: no token would be likelier than another.
        bias = tf.where(bias == -np.inf, bias, between(bias, -LARGE, LARGE, invalid=0.0))
        total = tf.reduce_sum(tf.math.multiply_no_nan(bias[..., None], named), 1)
        total = tf.where(self.tokenizer.tokens_with(banned), -np.inf, total)
        special = self.tokenizer.special
        silent = [i for i in special if not (self._has_documents and i == special.eos)]
        return tf.where(np.isin(np.arange(vocab_size), silent), -np.inf, total)

    def prefill(self, prompts: tf.Tensor) -> Writing:
        """Read the prompts; what does not fit into the context is left out at the left.

        Args:
            prompts: string[B], UTF-8; may be empty.
        """
        window, lengths = self._window(prompts)
        # The last token stays unread: every turn of the loop reads one, then writes one.
        _, state = self.decoder.prefill(window, lengths - 1)
        none = tf.zeros_like(lengths)
        return Writing(
            token=tf.gather(window, lengths - 1, batch_dims=1),
            position=lengths - 1,
            recent=newest(window, lengths, self.decoder.config.context_length, NO_TOKEN),
            count=none,
            finish=none,
            tail=tf.fill(tf.shape(lengths), ""),
            mu=tf.cast(none, tf.float32),
            state=state,
        )

    def write(
        self, writing: Writing, request: Request, num_tokens: tf.Tensor
    ) -> tuple[Written, Writing]:
        """Write on.

        A text that outgrows the model's context goes on: the newest half of the window
        is read again, and writing continues from there.

        Args:
            writing: from `prefill`, or from the call before.
            request: the same in every call for a text.
            num_tokens: int32[B], tokens to write in this call; the largest counts, and a
                row that comes to its end writes fewer.
        """
        writer = Writer(
            self.decoder.snapshot().for_rows(tf.shape(writing.token)[0]), self.tokenizer, request
        )
        notes, overhang, end = writer.write(writing, largest(num_tokens))
        texts = make_texts(self.tokenizer, notes.token_ids, overhang, end.finish)
        return Written(**{**notes._asdict(), **texts}), end

    def beam_search(
        self, writing: Writing, request: Request, num_beams: tf.Tensor, length_penalty: tf.Tensor
    ) -> BeamSearched:
        """Continue prompts by likely texts; see `textgen.generation.beam_search`.

        Args:
            writing: from `prefill`.
            request: of which `max_new_tokens`, `stop` and `bias` count.
            num_beams: int32[B] or [1].
            length_penalty: float32[B] or [1].
        """
        rows = tf.shape(request.max_new_tokens)
        controls = (tf.broadcast_to(values, rows) for values in (num_beams, length_penalty))
        search = BeamSearch(self.decoder.snapshot(), self.tokenizer, request, *controls)
        return search.search(writing)

    def contrastive_search(
        self, prompts: tf.Tensor, request: Request, penalty_alpha: tf.Tensor, top_k: tf.Tensor
    ) -> ContrastiveSearched:
        """Continue prompts by texts that do not repeat themselves.

        See `textgen.generation.contrastive_search`.

        Args:
            prompts: string[B], UTF-8; may be empty.
            request: of which `max_new_tokens`, `stop` and `bias` count.
            penalty_alpha: float32[B] or [1].
            top_k: int32[B] or [1], how many tokens to choose from.
        """
        rows = tf.shape(request.max_new_tokens)
        controls = (tf.broadcast_to(values, rows) for values in (penalty_alpha, top_k))
        search = ContrastiveSearch(self.decoder.snapshot(), self.tokenizer, request, *controls)
        return search.search(*self._window(prompts))

    def score(self, texts: tf.Tensor) -> Scored:
        """Tell how likely the model finds texts, from their beginning.

        Args:
            texts: string[B], UTF-8.
        """
        return score(self.decoder.snapshot(), *self._encode(texts))

    def _encode(self, texts):
        """Encode texts behind the boundary token: int32[B, T], and tokens in each row."""
        ids, lengths = self.tokenizer.encode(texts)
        return tf.pad(ids, [[0, 0], [1, 0]], constant_values=self._boundary), lengths + 1

    def _window(self, prompts):
        """Encode the prompts behind the boundary token; keep what the decoder can hold.

        Returns:
            int32[B, P] padded on the right, and the number of tokens in each row.
        """
        ids, lengths = self._encode(prompts)
        limit = self.decoder.max_positions
        if limit is None:
            return ids, lengths
        kept = tf.minimum(lengths, limit)
        columns = (lengths - kept)[:, None] + tf.range(tf.minimum(tf.shape(ids)[1], limit))
        columns = tf.minimum(columns, tf.shape(ids)[1] - 1)
        return tf.gather(ids, columns, batch_dims=1), kept
