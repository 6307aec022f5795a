"""The generator: a model, its tokenizer, the samplers and the searches together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from textgen.generation.beam_search import BeamSearch
from textgen.generation.bias import BiasMaker
from textgen.generation.contrastive_search import ContrastiveSearch
from textgen.generation.copy_guard import CopyGuard
from textgen.generation.decode_loop import DecodeLoop
from textgen.generation.draft_table import DraftTable
from textgen.generation.graph_inputs import default_inputs, make_request
from textgen.generation.healing import PromptHealer
from textgen.generation.outputs import (
    BeamSearchOutput,
    ContrastiveSearchOutput,
    GenerationOutput,
    ScoreOutput,
    TokenScoreOutput,
)
from textgen.generation.prefill import prefill
from textgen.generation.prefix_tree import PrefixTree
from textgen.generation.rows import largest
from textgen.generation.scoring import score, score_tokens
from textgen.generation.state import NO_TOKEN, GenerationState, Request
from textgen.generation.window import newest
from textgen.models.base import Decoder, LanguageModel
from textgen.tokenizer import Tokenizer


class Generator(tf.Module):
    """A decoder and its tokenizer, strings in and strings out.

    Args:
        decoder: The model.
        tokenizer: The tokenizer of the model.
        has_documents: Whether the EOS token was trained. If not, it is never sampled.
        is_seen: bool[V], the tokens of the training part; others are never sampled. `None` if
            unknown.
        tree: The tokens by their prefixes. Built from the tokenizer by default.
        heals: Whether prompts may be healed; see `textgen.generation.healing`.
        copy_table: uint8[2**k], the passages of the corpus, which texts may be kept from copying;
            see `textgen.gram_table`.
        drafts: What to guess tokens by, if that is faster; see `textgen.generation.drafted_loop`.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Tokenizer,
        has_documents: bool,
        is_seen: np.ndarray | None = None,
        tree: PrefixTree | None = None,
        heals: bool = True,
        copy_table: np.ndarray | None = None,
        drafts: DraftTable | None = None,
    ) -> None:
        super().__init__(name="generator")
        self.decoder = decoder
        self.tokenizer = tokenizer.in_graph()
        self._host_tokenizer = tokenizer
        self._prefix_id = tokenizer.prefix_id(has_documents)
        self._has_documents = has_documents
        self._is_seen = is_seen
        self._tree = tree
        self._copy_table = copy_table
        self._guard = (
            None if copy_table is None else CopyGuard(copy_table, self.tokenizer.all_pieces)
        )
        self.drafts = drafts
        # A token of one character is not the beginning of another.
        if heals and tree is None and self.tokenizer.max_overhang > 0:
            self._tree = PrefixTree(self.tokenizer.all_pieces)

    @property
    def parses_special(self) -> bool:
        """Whether a prompt may ask for special tokens; see `prefill`."""
        return self.tokenizer.parses_special

    @property
    def knows_corpus(self) -> bool:
        """Whether texts may be kept from copying; see `NOVEL_INPUTS`."""
        return self._guard is not None

    @classmethod
    def of_model(
        cls,
        model: LanguageModel,
        tokenizer: Tokenizer,
        has_documents: bool,
        is_seen: np.ndarray | None = None,
        heals: bool = True,
    ) -> Generator:
        """Return a generator with the current weights of a model, in variables.

        Args:
            model: A model in training, or a trained one.
            tokenizer: The tokenizer of the model.
            has_documents: Whether the model is trained on whole documents.
            is_seen: bool[V], the tokens of the training part, if known.
            heals: Whether prompts may be healed.
        """
        decoder = model.decoder().in_variables()
        return cls(decoder, tokenizer, has_documents, is_seen, heals=heals)

    def with_decoder(self, decoder: Decoder) -> Generator:
        """Return a generator that differs only in the decoder."""
        return Generator(
            decoder,
            *(self._host_tokenizer, self._has_documents, self._is_seen, self._tree),
            heals=self._tree is not None,
            copy_table=self._copy_table,
            drafts=self.drafts,
        )

    def generate(
        self, prompts: tf.Tensor, inputs: Mapping[str, Any] | None = None
    ) -> GenerationOutput:
        """Continue every prompt.

        Args:
            prompts: string[B], UTF-8; may be empty.
            inputs: Controls by the names of `default_inputs`; tensors with one row each, or B.
        """
        request = self.request(prompts, {**default_inputs(), **(inputs or {})})
        return self.decode(self.prefill(prompts, request), request, request.max_new_tokens)[0]

    def request(self, prompts: tf.Tensor, inputs: Mapping[str, Any]) -> Request:
        """Convert a caller's inputs to the form that `decode` takes; see `make_request`."""
        make_bias = BiasMaker(
            self.tokenizer, self.decoder.vocab_size, self._has_documents, self._is_seen
        )
        return make_request(inputs, tf.shape(prompts)[0], make_bias)

    def prefill(
        self, prompts: tf.Tensor, request: Request, parse_special: tf.Tensor | None = None
    ) -> GenerationState:
        """Process the prompts. What does not fit into the context is left out, on the left.

        Args:
            prompts: string[B], UTF-8; may be empty.
            request: What the caller asks for. After its deadline, a long prompt is skipped.
            parse_special: bool[B] or [1], whether a prompt is a rendered template, in which the
                texts of special tokens are these tokens. It is taken as it is and never healed.
        """
        window, lengths, healing = self._healed_window(prompts, request, parse_special)
        # The last token is left to the loop: every iteration processes a token and samples one.
        _, state = prefill(self.decoder, window, lengths - 1, request.deadline)
        none = tf.zeros_like(lengths)
        return GenerationState(
            token=tf.gather(window, lengths - 1, batch_dims=1),
            position=lengths - 1,
            recent=newest(window, lengths, self.decoder.config.context_length, NO_TOKEN),
            count=none,
            finish=none,
            tail=tf.fill(tf.shape(lengths), ""),
            mu=tf.cast(none, tf.float32),
            healing=healing,
            followed=request.automaton_state,
            state=state,
            copied=() if self._guard is None else self._guard.begin(prompts),
        )

    def decode(
        self,
        state: GenerationState,
        request: Request,
        num_tokens: tf.Tensor,
        num_threads: int | tf.Tensor = 1,
    ) -> tuple[GenerationOutput, GenerationState]:
        """Continue texts.

        A text that outgrows the model's context continues from the newest half of its window,
        which is prefilled again.

        Args:
            state: From `prefill`, or from the previous call.
            request: The same in every call for a text.
            num_tokens: int32[B], tokens to generate in this call. The largest counts. A row that
                ends generates fewer, and a healed prompt's first call may generate one more.
            num_threads: int32[], threads per operation.
        """
        decoder = self.decoder.snapshot().for_rows(tf.shape(state.token)[0], num_threads)
        tables = (self._tree, self._guard, self.drafts)
        loop = DecodeLoop(decoder, self.tokenizer, request, *tables)
        return loop.run(state, largest(num_tokens))

    def beam_search(
        self,
        state: GenerationState,
        request: Request,
        num_beams: tf.Tensor,
        length_penalty: tf.Tensor,
    ) -> BeamSearchOutput:
        """Continue prompts by likely texts; see `textgen.generation.beam_search`.

        Args:
            state: From `prefill`.
            request: What the caller asks for. Only `max_new_tokens`, `stop` and `bias` count.
            num_beams: int32[B] or [1].
            length_penalty: float32[B] or [1].
        """
        rows = tf.shape(request.max_new_tokens)
        controls = (tf.broadcast_to(values, rows) for values in (num_beams, length_penalty))
        decoder = self.decoder.snapshot()
        search = BeamSearch(decoder, self.tokenizer, self._tree, request, *controls)
        return search.search(state)

    def contrastive_search(
        self,
        prompts: tf.Tensor,
        request: Request,
        penalty_alpha: tf.Tensor,
        top_k: tf.Tensor,
        parse_special: tf.Tensor | None = None,
    ) -> ContrastiveSearchOutput:
        """Continue prompts by texts that do not repeat themselves; see `ContrastiveSearch`.

        Args:
            prompts: string[B], UTF-8; may be empty.
            request: What the caller asks for. Only `max_new_tokens`, `stop` and `bias` count.
            penalty_alpha: float32[B] or [1].
            top_k: int32[B] or [1], how many tokens to choose from.
            parse_special: bool[B] or [1]; see `prefill`.
        """
        rows = tf.shape(request.max_new_tokens)
        controls = (tf.broadcast_to(values, rows) for values in (penalty_alpha, top_k))
        decoder = self.decoder.snapshot()
        search = ContrastiveSearch(decoder, self.tokenizer, self._tree, request, *controls)
        window, lengths, healing = self._healed_window(prompts, request, parse_special)
        return search.search(window, lengths, healing, request.deadline)

    def score(self, texts: tf.Tensor, parse_special: tf.Tensor | None = None) -> ScoreOutput:
        """Return how likely texts are to the model, from their beginning.

        Args:
            texts: string[B], UTF-8.
            parse_special: bool[B] or [1]; see `prefill`.
        """
        return score(self.decoder.snapshot(), *self._encode(texts, parse_special))

    def score_tokens(self, token_ids: tf.Tensor) -> TokenScoreOutput:
        """Return how likely tokens are in their rows; see `textgen.generation.scoring`.

        Args:
            token_ids: int32[B, 1 + T].
        """
        return score_tokens(self.decoder.snapshot(), token_ids)

    def _encode(self, texts, parse_special=None):
        """Encode texts after the prefix token: int32[B, T], and the tokens in each row."""
        if parse_special is not None:
            parse_special = tf.broadcast_to(parse_special, tf.shape(texts))
        ids, lengths = self.tokenizer.encode(texts, parse_special)
        return tf.pad(ids, [[0, 0], [1, 0]], constant_values=self._prefix_id), lengths + 1

    def _healed_window(self, prompts, request, parse_special=None):
        """Encode the prompts, and take off their ends what the first token is to begin with.

        Returns:
            What `_window` returns, and int32[B], the bytes taken off as a node of the tree.
        """
        if self._tree is None:
            window, lengths = self._window(prompts, parse_special)
            return window, lengths, tf.zeros_like(lengths)
        healer = PromptHealer(self._tree, self.decoder, request)
        bodies, space = healer.without_space(prompts)
        is_whole = space > 0
        as_it_is = []
        if parse_special is not None:
            as_it_is.append(parse_special)
        if self._guard is not None:
            # A healed prompt's first token may complete a copy, and is hard to draw again.
            as_it_is.append(request.novel > 0)
        for is_so in as_it_is:
            bodies = tf.where(is_so, prompts, bodies)
            space = tf.where(is_so, 0, space)
            is_whole |= is_so
        window, lengths = self._window(bodies, parse_special)
        return window, *healer.cut(window, lengths, space, is_whole)

    def _window(self, prompts, parse_special=None):
        """Encode the prompts after the prefix token; keep what the decoder can hold.

        Returns:
            int32[B, P] padded on the right, and the number of tokens in each row.
        """
        ids, lengths = self._encode(prompts, parse_special)
        limit = self.decoder.max_positions
        if limit is None:
            return ids, lengths
        kept = tf.minimum(lengths, limit)
        columns = (lengths - kept)[:, None] + tf.range(tf.minimum(tf.shape(ids)[1], limit))
        columns = tf.minimum(columns, tf.shape(ids)[1] - 1)
        return tf.gather(ids, columns, batch_dims=1), kept
