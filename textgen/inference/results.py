"""What a model returns: generated texts, and scores of given texts.

All log-probabilities are natural logarithms, in the model's own distribution before any
sampling control.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.metrics import bits, perplexity, unknown_nats
from textgen.tokenizer import Tokenizer


@dataclass(frozen=True)
class TokenLogprob:
    """A token and its log-probability at its position.

    Attributes:
        token_id: The token's id in the vocabulary.
        token: The token's text; U+FFFD if it is only part of a character.
        logprob: Log-probability of the token.

    Example:
        >>> first = model.generate("Once", max_new_tokens=8, logprobs=0).logprobs[0]
        >>> first.logprob <= 0
        True
    """

    token_id: int
    token: str
    logprob: float


@dataclass(frozen=True)
class Generation:
    """A generated text.

    Attributes:
        prompt: The prompt after the cleaning that the corpus had too.
        text: The new text, without the prompt; U+FFFD stands for invalid UTF-8.
        finish_reason: `stop` (end of text or a stop string), `length`, `time` (`max_time` is
            over), `error` (no token was left to choose), or empty if a stream has not
            finished.
        num_tokens: Number of new tokens.
        seed: The seed and the settings that reproduce this text; `None` for a search, which
            does not sample.
        logprob: Log-probability of the new text; `None` for sampling.
        score: `logprob` after the length penalty of beam search; otherwise `None`.
        logprobs: One entry per token if `SamplingConfig.logprobs` was set, otherwise `None`.
        top_logprobs: Per token, the most likely alternatives, best first; `None` as above.

    Example:
        >>> generation = model.generate("Once upon", max_new_tokens=20, seed=7)
        >>> generation.num_tokens, generation.finish_reason
        (20, 'length')
        >>> again = model.generate("Once upon", max_new_tokens=20, seed=generation.seed)
        >>> again.text == generation.text
        True
    """

    prompt: str
    text: str
    finish_reason: str
    num_tokens: int
    seed: int | None
    logprob: float | None = None
    score: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    top_logprobs: tuple[tuple[TokenLogprob, ...], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not `None`, as values that JSON can hold."""
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}


@dataclass(frozen=True, eq=False)
class Score:
    """The probability that a model assigns to a text.

    Attributes:
        text: The text after the cleaning that the corpus had too.
        token_ids: int32[num_tokens].
        token_logprobs: float32[num_tokens]. Log-probability of each token given those
            before it.
        tokenizer: The model's tokenizer.

    Example:
        >>> score = model.score("Once upon a time")
        >>> score.num_characters
        16
        >>> math.isclose(score.logprob, sum(token.logprob for token in score.logprobs))
        True
    """

    text: str
    token_ids: np.ndarray
    token_logprobs: np.ndarray
    tokenizer: Tokenizer = dataclasses.field(repr=False)

    @property
    def num_tokens(self) -> int:
        """Number of tokens."""
        return len(self.token_ids)

    @property
    def num_characters(self) -> int:
        """Number of code points."""
        return len(self.text)

    @property
    def num_bytes(self) -> int:
        """Length in UTF-8."""
        return len(self.text.encode("utf-8"))

    @cached_property
    def logprob(self) -> float:
        """Log-probability of the text: the sum over its tokens."""
        return float(self.token_logprobs.sum(dtype=np.float64))

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """One entry per token."""
        return token_logprobs(self.token_ids, self.token_logprobs, self.tokenizer.pieces)

    @property
    def perplexity(self) -> float:
        """exp(-logprob / num_tokens); 1 for an empty text."""
        return perplexity(-self.logprob / max(self.num_tokens, 1))

    @property
    def bits_per_character(self) -> float:
        """`bits` / num_characters, comparable across tokenizers; 0 if empty."""
        return self.bits / max(self.num_characters, 1)

    @property
    def bits_per_byte(self) -> float:
        """`bits` / num_bytes, comparable across scripts too; 0 if empty."""
        return self.bits / max(self.num_bytes, 1)

    @property
    def bits(self) -> float:
        """-logprob / ln 2, plus the bits to name each character that the model does not know."""
        num_unknown = int((self.token_ids == self.tokenizer.special.own_unknown).sum())
        price = unknown_nats(self.tokenizer.vocab_size)
        return bits(max(-self.logprob, 0.0) + num_unknown * price)


def token_logprobs(
    token_ids: np.ndarray, logprobs: np.ndarray, pieces: list[bytes]
) -> list[TokenLogprob]:
    """Pair tokens with their text.

    Args:
        token_ids: int32[N].
        logprobs: float32[N].
        pieces: UTF-8 bytes of each token of the vocabulary, by id.

    Raises:
        GenerationError: If a token is not in the vocabulary.
    """
    if len(token_ids) and not 0 <= min(token_ids) <= max(token_ids) < len(pieces):
        raise GenerationError("The model returned a token that its tokenizer does not have")
    return [
        TokenLogprob(token_id, pieces[token_id].decode("utf-8", errors="replace"), logprob)
        for token_id, logprob in zip(token_ids.tolist(), logprobs.tolist(), strict=True)
    ]


def make_generation(
    prompt: str,
    seed: int | None,
    outputs: Sequence[Mapping[str, np.ndarray]],
    row: int,
    pieces: list[bytes] | None = None,
) -> Generation:
    """Join the outputs of one or several calls for one row of a batch.

    Args:
        prompt: The prompt as the model saw it.
        seed: The seed; `None` for a search.
        outputs: The outputs of each call, in order; none if a stream has not started.
        row: The row in each.
        pieces: UTF-8 bytes of each token of the vocabulary if log-probabilities were
            requested, otherwise `None`.
    """
    text = b"".join(part["text_bytes"][row] for part in outputs)
    logprobs = top_logprobs = None
    if pieces is not None:
        ids, own, top_ids, top = (
            [token for part in outputs for token in part[name][row, : part["num_tokens"][row]]]
            for name in ("token_ids", "logprobs", "top_token_ids", "top_logprobs")
        )
        logprobs = tuple(token_logprobs(np.array(ids), np.array(own), pieces))
        top_logprobs = tuple(
            tuple(token_logprobs(*alternatives, pieces))
            for alternatives in zip(top_ids, top, strict=True)
        )
    # The searches return these, for the whole text.
    whole = {
        name: float(outputs[0][name][row])
        for name in ("logprob", "score")
        if outputs and name in outputs[0]
    }
    return Generation(
        prompt=prompt,
        text=text.decode("utf-8", errors="replace"),
        finish_reason=outputs[-1]["finish_reason"][row].decode("ascii", "replace")
        if outputs
        else "",
        num_tokens=sum(int(part["num_tokens"][row]) for part in outputs),
        seed=seed,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        **whole,
    )
