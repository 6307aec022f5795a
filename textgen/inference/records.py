"""What a model answers: texts it wrote, and what it thinks of texts.

All logarithms are natural ones, of probabilities in the model's own distribution, before
any sampling control.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from textgen.perplexity import perplexity


@dataclass(frozen=True)
class TokenLogprob:
    """A token and how likely it was at its place.

    Attributes:
        token_id: its number in the vocabulary.
        token: what it writes; U+FFFD where that is only a part of a character.
        logprob: logarithm of its probability.
    """

    token_id: int
    token: str
    logprob: float


@dataclass(frozen=True)
class Generation:
    """One text a model wrote.

    Attributes:
        prompt: what it continues, as the model saw it.
        text: the new text, without the prompt; U+FFFD where bytes are no character.
        finish_reason: `stop` (end of text or a stop string), `length`, `time` (max_time is
            over), `error` (there was no token left to choose), or empty where the text
            of a stream still goes on.
        num_tokens: of the new text.
        seed: with the same seed and settings the model writes this text again; `None` where
            nothing was drawn.
        logprobs: one for every token of the text, where they were asked for.
        top_logprobs: for every token the likeliest ones at its place, the likeliest first.
    """

    prompt: str
    text: str
    finish_reason: str
    num_tokens: int
    seed: int | None
    logprobs: tuple[TokenLogprob, ...] | None = None
    top_logprobs: tuple[tuple[TokenLogprob, ...], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all that was asked for, as values that JSON can hold."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}


@dataclass(frozen=True, eq=False)
class Score:
    """How likely a model finds a text.

    Attributes:
        text: as the model saw it.
        token_ids: int32[num_tokens].
        token_logprobs: float32[num_tokens], logarithm of every token's probability after
            those before it.
        pieces: the bytes that each token of the vocabulary writes, by id.
    """

    text: str
    token_ids: np.ndarray
    token_logprobs: np.ndarray
    pieces: list[bytes] = dataclasses.field(repr=False)

    @property
    def num_tokens(self) -> int:
        """How many tokens the text is made of."""
        return len(self.token_ids)

    @property
    def num_characters(self) -> int:
        """How many code points the text is made of."""
        return len(self.text)

    @property
    def num_bytes(self) -> int:
        """How long the text is in UTF-8."""
        return len(self.text.encode("utf-8"))

    @cached_property
    def logprob(self) -> float:
        """Logarithm of the text's probability, the sum over its tokens."""
        return float(self.token_logprobs.sum(dtype=np.float64))

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """The tokens one by one."""
        return token_logprobs(self.token_ids, self.token_logprobs, self.pieces)

    @property
    def perplexity(self) -> float:
        """exp(-logprob / num_tokens); 1 for an empty text."""
        return perplexity(-self.logprob / max(self.num_tokens, 1))

    @property
    def bits_per_character(self) -> float:
        """-logprob / ln 2 / num_characters, which compares across tokenizers; 0 if empty."""
        return self._bits / max(self.num_characters, 1)

    @property
    def bits_per_byte(self) -> float:
        """-logprob / ln 2 / num_bytes, which compares across scripts too; 0 if empty."""
        return self._bits / max(self.num_bytes, 1)

    @property
    def _bits(self) -> float:
        return max(-self.logprob, 0.0) / math.log(2)


def token_logprobs(
    token_ids: np.ndarray, logprobs: np.ndarray, pieces: list[bytes]
) -> list[TokenLogprob]:
    """Pair tokens with what they write.

    Args:
        token_ids: int32[N].
        logprobs: float32[N].
        pieces: the bytes each id writes.
    """
    return [
        TokenLogprob(token_id, pieces[token_id].decode("utf-8", errors="replace"), logprob)
        for token_id, logprob in zip(token_ids.tolist(), logprobs.tolist(), strict=True)
    ]
