"""A text that the engine generates, and the pieces in which it arrives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textgen.runtime.rows import Arrays
from textgen.serving.http.batch import Prompt


@dataclass(frozen=True)
class Piece:
    """What one block added to a row.

    Attributes:
        text: UTF-8 bytes, which may end within a character.
        token_ids: int32[N].
        finish_reason: Empty while the row continues; else as in `Generation`.
        logprobs: float32[N] if the row asked for log-probabilities, else empty.
        top_token_ids: int32[N, K], the most likely tokens at each position.
        top_logprobs: float32[N, K].
        error: Why the row will not be finished.
    """

    text: bytes = b""
    token_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    finish_reason: str = ""
    logprobs: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    top_token_ids: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    top_logprobs: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    error: Exception | None = None

    @property
    def is_last(self) -> bool:
        """Whether no piece follows."""
        return bool(self.finish_reason) or self.error is not None


class Row:
    """One text that the engine generates.

    Args:
        prompt: What it starts from.
        receive: Called in the engine's thread with every piece; must return at once.
        num_logprobs: Alternatives to report per token; `None` reports no log-probabilities.

    Attributes:
        is_cancelled: Set this to have the row dropped before the next block.
    """

    def __init__(
        self, prompt: Prompt, receive: Callable[[Piece], None], num_logprobs: int | None = None
    ) -> None:
        self.prompt = prompt
        self.receive = receive
        self.num_logprobs = num_logprobs
        self.is_cancelled = False


def make_piece(outputs: Arrays, index: int, row: Row) -> Piece:
    """Return what a block added to the row at `index` of the batch."""
    count = int(outputs["num_tokens"][index])
    piece: dict[str, Any] = {
        "text": outputs["text_bytes"][index],
        "token_ids": outputs["token_ids"][index, :count],
        "finish_reason": outputs["finish_reason"][index].decode("ascii"),
    }
    if row.num_logprobs is not None:
        num_alternatives = row.num_logprobs
        piece |= {
            "logprobs": outputs["logprobs"][index, :count],
            "top_token_ids": outputs["top_token_ids"][index, :count, :num_alternatives],
            "top_logprobs": outputs["top_logprobs"][index, :count, :num_alternatives],
        }
    return Piece(**piece)
