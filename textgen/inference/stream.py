"""Generate text in chunks."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.inference.results import Generation
from textgen.runtime import SavedModel
from textgen.runtime.rows import as_array

# How long decoding one chunk may take: short enough for text to flow smoothly, long enough
# to make the half millisecond that each call costs negligible.
_SECONDS_PER_CHUNK = 0.05
# A call allocates its outputs at this size in advance, and Ctrl-C waits until it returns.
MAX_TOKENS_PER_CALL = 512

Outputs = dict[str, np.ndarray]


class ChunkDecoder:
    """Decodes a batch of prompts in chunks.

    Args:
        model: An exported model.
        **inputs: Inputs of the signature `prefill`, `max_new_tokens` among them.
    """

    def __init__(self, model: SavedModel, **inputs: Any) -> None:
        self._model = model
        self._tokens_left = int(np.max(inputs["max_new_tokens"]))
        self._state: Mapping[str, Any] = model.run_tensors("prefill", **inputs)

    def decode(self, num_tokens: int) -> Outputs:
        """Generate up to `num_tokens` more tokens per row.

        Returns:
            The outputs of `generate` for this chunk; `finish_reason` is empty in rows that
            have not finished.

        Raises:
            GenerationError: If the model has generated more tokens than it may, or none.
        """
        outputs = self._run(self._state, num_tokens)
        self._state = {name: outputs.pop(name) for name in self._state}
        arrays = {name: as_array(value) for name, value in outputs.items()}
        # A model that a stranger made may never end.
        made = int(arrays["num_tokens"].max(initial=0))
        self._tokens_left -= made
        if not all(arrays["finish_reason"]) and (made < 1 or self._tokens_left < 1):
            raise GenerationError("The model does not end its text after max_new_tokens")
        return arrays

    def _run(self, state: Mapping[str, Any], num_tokens: int) -> dict[str, Any]:
        """Return outputs and the next state, in tensors or arrays."""
        return dict(self._model.run_tensors("decode", num_tokens=[num_tokens], **state))


class TextStream(Iterator[str]):
    """Yields a text in chunks while the model generates it.

    The first chunk is a single token; later ones grow as long as they come quickly. Each
    holds whole characters, and together they are the text that `generate` returns.

    Args:
        prefill: Processes the prompt.
        summarize: Makes a `Generation` from all outputs so far.

    Example:
        >>> stream = model.stream("Once", max_new_tokens=20, seed=7)
        >>> text = "".join(stream)
        >>> text == stream.result.text == model.generate("Once", max_new_tokens=20, seed=7).text
        True
    """

    def __init__(
        self, prefill: Callable[[], ChunkDecoder], summarize: Callable[[list[Outputs]], Generation]
    ) -> None:
        self._summarize = summarize
        self._outputs: list[Outputs] = []
        self._chunks = self._generate(prefill)

    def __next__(self) -> str:
        return next(self._chunks)

    @property
    def result(self) -> Generation:
        """The text so far; complete once `finish_reason` is not empty."""
        return self._summarize(self._outputs)

    def _generate(self, prefill: Callable[[], ChunkDecoder]) -> Iterator[str]:
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        decoder, size, is_running = prefill(), 1, True
        while is_running:
            started = time.monotonic()
            outputs = decoder.decode(size)
            elapsed = time.monotonic() - started
            self._outputs.append(outputs)
            is_running = not outputs["finish_reason"][0]
            # A token may end inside a character, whose other bytes come with later tokens.
            if text := utf8.decode(outputs["text_bytes"][0], final=not is_running):
                yield text
            size = affordable_tokens(size, elapsed, _SECONDS_PER_CHUNK)


def affordable_tokens(size: int, elapsed: float, seconds: float) -> int:
    """Return how many tokens the next chunk should have.

    Args:
        size: Tokens of the previous chunk.
        elapsed: The seconds that it took.
        seconds: How long the next one may take.

    Returns:
        At least 1, and at most twice `size`.
    """
    affordable = int(size * seconds / max(elapsed, 1e-9))
    return max(1, min(2 * size, affordable, MAX_TOKENS_PER_CALL))
