"""One text of a response, put together from the engine's pieces."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from textgen.serving.http.row import Piece

# JSON has no infinity; OpenAI reports this number instead.
_IMPOSSIBLE = -9999.0


class Token(NamedTuple):
    """A token of the text and how likely it was.

    Attributes:
        token_id: Its number in the vocabulary.
        start: Bytes of the text before it.
        logprob: `None` if no model gave it a probability.
        top: The most likely tokens at its position with their log-probabilities.
    """

    token_id: int
    start: int
    logprob: float | None
    top: list[tuple[int, float]]


class Choice:
    """Assembles a text, without the stop string it ends with.

    The model's text includes the stop string, and OpenAI's does not. So bytes that may turn out
    to be its beginning are held until the next ones decide.

    Args:
        stop: The stop strings.
        pieces: The bytes of each token, by id.
    """

    def __init__(self, stop: Sequence[str], pieces: Sequence[bytes]) -> None:
        self._stop = [text.encode("utf-8") for text in stop]
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = b""
        self._tokens: list[Token] = []
        self._num_bytes = 0  # of all tokens
        self._num_released = 0  # bytes that went out
        self.num_tokens = 0
        self.finish_reason = ""

    def add(self, piece: Piece) -> tuple[str, list[Token]]:
        """Add a piece.

        Returns:
            The text that is certain now, and its tokens if they have log-probabilities.
        """
        self.num_tokens += len(piece.token_ids)
        self.finish_reason = piece.finish_reason
        for index, token_id in enumerate(piece.token_ids.tolist()):
            if len(piece.logprobs):
                top = zip(piece.top_token_ids[index], piece.top_logprobs[index], strict=True)
                self._tokens.append(
                    Token(
                        token_id,
                        self._num_bytes,
                        finite(piece.logprobs[index]),
                        [(int(top_id), finite(logprob)) for top_id, logprob in top],
                    )
                )
            self._num_bytes += len(self._pieces[token_id])
        self._held += piece.text
        if piece.is_last:
            ending = self._stop_string() if piece.finish_reason == "stop" else 0
        else:
            ending = self._possible_beginning()
        released = self._held[: len(self._held) - ending]
        self._held = b"" if piece.is_last else self._held[len(released) :]
        self._num_released += len(released)
        certain = [token for token in self._tokens if token.start < self._num_released]
        self._tokens = self._tokens[len(certain) :]
        return self._decoder.decode(released, final=piece.is_last), certain

    def _stop_string(self) -> int:
        """Return the length of the stop string at the end."""
        return max((len(stop) for stop in self._stop if self._held.endswith(stop)), default=0)

    def _possible_beginning(self) -> int:
        """Return how many of the last bytes may begin a stop string, or be one."""
        longest = max(map(len, self._stop), default=0)
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stop):
                return size
        return 0


def finite(value: float | np.floating[Any]) -> float:
    """Return a log-probability that JSON can hold."""
    return max(float(value), _IMPOSSIBLE) if value == value else _IMPOSSIBLE


def prompt_tokens(scored: dict[str, Any], specials: Sequence[int], pieces: Sequence[bytes]):
    """Return the tokens of a prompt; see `ServedModel.score`."""
    tokens, start = [Token(token_id, 0, None, []) for token_id in specials], 0
    for index, token_id in enumerate(scored["token_ids"]):
        top = zip(scored["top_token_ids"][index], scored["top_logprobs"][index], strict=True)
        own = finite(scored["logprobs"][index])
        tokens.append(Token(token_id, start, own, [(int(i), finite(v)) for i, v in top]))
        start += len(pieces[token_id])
    return tokens


class LogprobsWriter:
    """Writes tokens in the shape of OpenAI's completions, counting characters as it goes.

    Args:
        token_names: What to call each token, by id.
        pieces: The bytes of each token, by id.
        offset: Characters of the response's text before the first token.
    """

    def __init__(
        self, token_names: Sequence[str], pieces: Sequence[bytes], offset: int = 0
    ) -> None:
        self._names = token_names
        self._pieces = pieces
        self._offset = offset

    def write(self, tokens: Sequence[Token]) -> dict[str, list[Any]]:
        """Return `tokens`, `token_logprobs`, `top_logprobs` and `text_offset`."""
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            # A character counts with its first byte: the others begin with the bits 10.
            self._offset += sum(byte & 0xC0 != 0x80 for byte in self._pieces[token.token_id])
        return {
            "tokens": [self._names[token.token_id] for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [self._top(token) for token in tokens],
            "text_offset": offsets,
        }

    def _top(self, token: Token) -> dict[str, float] | None:
        if token.logprob is None:
            return None
        # As OpenAI does, the token itself is among them.
        top = {self._names[token_id]: logprob for token_id, logprob in token.top}
        return {**top, self._names[token.token_id]: token.logprob}


def chat_logprobs(
    tokens: Sequence[Token], token_names: Sequence[str], pieces: Sequence[bytes]
) -> list[dict[str, Any]]:
    """Return tokens in the shape of OpenAI's dialogues.

    Args:
        tokens: Tokens of an answer.
        token_names: What to call each token, by id.
        pieces: The bytes of each token, by id.
    """

    def describe(token_id: int, logprob: float | None) -> dict[str, Any]:
        own = {"token": token_names[token_id], "bytes": list(pieces[token_id])}
        return {**own, "logprob": logprob}

    return [
        {
            **describe(token.token_id, token.logprob),
            "top_logprobs": [describe(*each) for each in token.top],
        }
        for token in tokens
    ]
