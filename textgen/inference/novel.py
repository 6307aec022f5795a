"""Texts that copy no long passages from the corpus of their model."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.config import SamplingConfig
from textgen.inference.stream import ChunkDecoder, Outputs
from textgen.runtime import SavedModel
from textgen.runtime.rows import as_array, put_rows, take_rows

if TYPE_CHECKING:
    from textgen.originality import CorpusIndex

# Tokens that are decoded before they are looked up. A copy costs its row the time of as many; every
# look costs a call, which copies the caches of all rows. Texts that have just copied often copy
# again.
_TOKENS_PER_LOOK, _TOKENS_AFTER_COPIES = 128, 32

Constrain = Callable[[SamplingConfig, Sequence[bytes]], Mapping[str, np.ndarray]]


class NovelDecoder(ChunkDecoder):
    """Decodes a batch of prompts in chunks, and none of their texts copies the corpus.

    If a chunk of a row completes a copy of `novel` characters, that row decodes it again from its
    beginning, while everything that would complete a copy there is avoided. So up to that
    position, the text is what the model would have generated anyway.

    Args:
        model: An exported model.
        index: The corpus of the model.
        config: The settings, `novel` among them.
        constrain: Makes the inputs `automaton` and `automaton_state`; see `ConstraintFeeds`.
        **inputs: Inputs of the signature `prefill`. A copy may begin in the prompts.
    """

    def __init__(
        self,
        model: SavedModel,
        index: CorpusIndex,
        config: SamplingConfig,
        constrain: Constrain,
        **inputs: Any,
    ) -> None:
        super().__init__(model, **inputs)
        self._index = index
        self._config = config
        self._length = config.novel or 0
        self._constrain = constrain
        self._max_tokens = _TOKENS_PER_LOOK
        # What would complete a copy in this chunk, by row.
        self._phrases: dict[int, set[str]] = {}
        self._texts = [prompt.encode() for prompt in inputs["prompts"]]

    def decode(self, num_tokens: int) -> Outputs:
        """Generate up to `num_tokens` more tokens per row; see `ChunkDecoder.decode`."""
        self._phrases = {}
        outputs = super().decode(min(num_tokens, self._max_tokens))
        # A copy may begin before the chunk that completes it.
        self._texts = [
            (text + more)[-4 * self._length :]
            for text, more in zip(self._texts, outputs["text_bytes"], strict=True)
        ]
        rows = list(self._phrases)
        many = 2 * len(rows) > len(self._texts)
        self._max_tokens = _TOKENS_AFTER_COPIES if many else _TOKENS_PER_LOOK
        if rows:
            # The phrases of this chunk no longer matter.
            self._phrases = {}
            automata = self._automata(rows)
            held = {name: self._state[name] for name in automata}
            self._state = {**self._state, **put_rows(held, rows, automata)}
        return outputs

    def _run(self, state: Mapping[str, Any], num_tokens: int) -> dict[str, Any]:
        return self._run_rows(range(len(self._texts)), state, num_tokens)

    def _run_rows(
        self, rows: Sequence[int], state: Mapping[str, Any], num_tokens: int
    ) -> dict[str, Any]:
        """Decode a chunk of some rows, and those that copied once more."""
        made = super()._run(state, num_tokens)
        places = [
            place
            for place, (row, new) in enumerate(zip(rows, as_array(made["text_bytes"]), strict=True))
            if self._finds_copy(row, new)
        ]
        if places:
            copying = [rows[place] for place in places]
            beginning = {**take_rows(state, places), **self._automata(copying)}
            made = put_rows(made, places, self._run_rows(copying, beginning, num_tokens))
        return made

    def _finds_copy(self, row: int, new: bytes) -> bool:
        """Whether a row needs to avoid more phrases in this chunk than it did; note them."""
        known = self._phrases.get(row, set())
        found = self._copied(self._texts[row], new)
        if found <= known:
            return False
        self._phrases[row] = known | found
        return True

    def _automata(self, rows: Sequence[int]) -> dict[str, np.ndarray]:
        """The inputs of `decode` by which rows avoid their phrases from here on."""
        contents, states = [], []
        for row in rows:
            avoid = (*self._config.avoid, *sorted(self._phrases.get(row, ())))
            config = dataclasses.replace(self._config, avoid=avoid)
            made = self._constrain(config, [self._texts[row]])
            contents.append(made["automaton"][0] if made else b"")
            states.append(made["automaton_state"][0] if made else 0)
        return {
            "state_automaton": np.array(contents, object),
            "state_followed": np.array(states, np.int32),
        }

    def _copied(self, text: bytes, new: bytes) -> set[str]:
        """Return the phrases that would complete a copy in the new part of a text."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # A character that has begun in the old part ends in the new one.
        old = decoder.decode(text)[1 - self._length :]
        whole = old + decoder.decode(new)
        if not self._may_copy(whole):
            return set()
        from textgen.originality import trace

        copied = set()
        for passage in trace(self._index, whole, self._length).passages:
            if passage.end > len(old):
                end = max(passage.start + self._length, len(old) + 1)
                before = whole[end - self._length : end - 1]
                copied |= {before + character for character in self._index.continuations(before)}
        return copied

    def _may_copy(self, text: str) -> bool:
        """Whether any stretch of half the length is in the corpus: every copy contains one."""
        size = (self._length + 1) // 2
        starts = range(0, len(text) - size + 1, size)
        return any(self._index.find(text[at : at + size].encode()) is not None for at in starts)
