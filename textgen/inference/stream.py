"""A text while it is being written."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from textgen.inference.records import Generation
from textgen.runtime import SavedModel

# So long may a call for the next piece take: a reader sees no jerks, and the half
# millisecond that a call costs on top of its tokens is hardly felt.
_SECONDS_A_PIECE = 0.05
# Tokens that one call writes at most. It notes everything beforehand in tensors of that
# size, and Ctrl-C waits for its end.
LONGEST_CALL = 512

Outputs = dict[str, np.ndarray]


class Pieces:
    """Texts of one batch, written piece by piece.

    Args:
        model: an exported model.
        **inputs: of the signature `prefill`.
    """

    def __init__(self, model: SavedModel, **inputs: Any) -> None:
        self._model = model
        self._state: Mapping[str, Any] = model.run_tensors("prefill", **inputs)

    def write(self, num_tokens: int) -> Outputs:
        """Write on for at most so many tokens.

        Returns:
            The outputs of `generate`, for this piece; `finish_reason` is empty in rows that
            go on.
        """
        outputs = self._model.run_tensors("decode", num_tokens=[num_tokens], **self._state)
        self._state = {name: outputs.pop(name) for name in self._state}
        return {name: tensor.numpy() for name, tensor in outputs.items()}


class TextStream(Iterator[str]):
    """Yields a text in pieces, as soon as they are written.

    The first piece is a single token; the others grow as long as they come quickly. Each
    is whole characters, and together they are the text that `generate` returns.

    Args:
        begin: reads the prompt.
        summarize: makes a `Generation` of all outputs so far.

    Example:

        >>> stream = model.stream("ROMEO:")
        >>> for piece in stream:
        ...     print(piece, end="", flush=True)
        >>> stream.result.finish_reason
    """

    def __init__(
        self, begin: Callable[[], Pieces], summarize: Callable[[list[Outputs]], Generation]
    ) -> None:
        self._summarize = summarize
        self._outputs: list[Outputs] = []
        self._texts = self._write(begin)

    def __next__(self) -> str:
        return next(self._texts)

    @property
    def result(self) -> Generation:
        """What is written so far; the whole text where `finish_reason` is not empty."""
        return self._summarize(self._outputs)

    def _write(self, begin: Callable[[], Pieces]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces, size, is_running = begin(), 1, True
        while is_running:
            started = time.monotonic()
            outputs = pieces.write(size)
            elapsed = time.monotonic() - started
            self._outputs.append(outputs)
            is_running = not outputs["finish_reason"][0]
            # A token may end within a character, whose other bytes come with the next ones.
            if text := decoder.decode(outputs["text_bytes"][0], final=not is_running):
                yield text
            affordable = int(size * _SECONDS_A_PIECE / max(elapsed, 1e-9))
            size = max(1, min(2 * size, affordable, LONGEST_CALL))
