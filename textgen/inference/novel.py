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

if TYPE_CHECKING:
    from textgen.originality import CorpusIndex

# Tokens of all rows that are decoded before they are looked up, and of each row at least: a copy
# costs the time of as many.
_TOKENS_PER_LOOK, _MIN_TOKENS = 64, 32

Constrain = Callable[[SamplingConfig, Sequence[bytes]], Mapping[str, np.ndarray]]


class NovelDecoder(ChunkDecoder):
    """Decodes a batch of prompts in chunks, and none of their texts copies the corpus.

    A chunk that completes a copy of `novel` characters is decoded again from its beginning, while
    everything that would complete a copy there is avoided. So up to that position, the text is
    what the model would have generated anyway.

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
        self._texts = [prompt.encode() for prompt in inputs["prompts"]]
        self._has_phrases = False

    def decode(self, num_tokens: int) -> Outputs:
        """Generate up to `num_tokens` more tokens per row; see `ChunkDecoder.decode`."""
        size = min(num_tokens, max(_TOKENS_PER_LOOK // len(self._texts), _MIN_TOKENS))
        phrases: list[set[str]] = [set() for _ in self._texts]
        if self._has_phrases:
            # The phrases of the previous chunk no longer matter.
            self._state = {**self._state, **self._automata(phrases)}
        self._has_phrases = False
        beginning, tokens_left = self._state, self._tokens_left
        while True:
            outputs = super().decode(size)
            new = outputs["text_bytes"]
            found = [self._copied(*each) for each in zip(self._texts, new, strict=True)]
            if all(more <= known for more, known in zip(found, phrases, strict=True)):
                break
            phrases = [known | more for known, more in zip(phrases, found, strict=True)]
            self._has_phrases = True
            self._state = {**beginning, **self._automata(phrases)}
            self._tokens_left = tokens_left
        # A copy may begin before the chunk that completes it.
        self._texts = [
            (text + more)[-4 * self._length :] for text, more in zip(self._texts, new, strict=True)
        ]
        return outputs

    def _automata(self, phrases: list[set[str]]) -> dict[str, np.ndarray]:
        """The inputs of `decode` by which each row avoids its phrases from here on."""
        contents, states = [], []
        for text, avoided in zip(self._texts, phrases, strict=True):
            avoid = (*self._config.avoid, *sorted(avoided))
            made = self._constrain(dataclasses.replace(self._config, avoid=avoid), [text])
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
