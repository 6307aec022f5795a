"""Continuous batching: texts of many requests, decoded together by one thread.

The thread repeats three steps: drop rows that finished or were cancelled, process the prompts of
waiting rows, decode a block of a few tokens in all rows. A row's text depends on its own inputs
only, so it is the same under any load.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from textgen.errors import GenerationError, TextgenError
from textgen.runtime import SavedModel
from textgen.serving.http.batch import Arrays, Batch, Prompt

logger = logging.getLogger(__name__)

# How long a block should take. Rows join and leave only between blocks, and a call costs half a
# millisecond beside its tokens.
_SECONDS_PER_BLOCK = 0.02
_MAX_TOKENS_PER_BLOCK = 32
# Prompts that are processed in one call; padding them to the longest costs time.
_MAX_PROMPTS_PER_CALL = 16


class QueueFullError(TextgenError):
    """Too many rows wait already; the client should try again later."""


class EngineClosedError(TextgenError):
    """The engine has been closed, and the row will not be finished."""


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
    """One text that the engine writes.

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


class Observer:
    """What the engine reports about its work; this one ignores it all."""

    def decoded(self, num_rows: int, num_tokens: int, seconds: float) -> None:
        """A block is done: rows in it, tokens generated in all of them, and its time."""


class Engine:
    """Decodes the rows of all requests to one model.

    Args:
        model: An exported model.
        max_rows: Rows decoded together.
        max_waiting: Rows that may wait for a place.
        observer: Receives a report of every block.

    Example:
        >>> engine = Engine(SavedModel("saved_models/shakespeare/1"))
        >>> engine.submit([Row(prompt, print)])
    """

    def __init__(
        self,
        model: SavedModel,
        *,
        max_rows: int = 32,
        max_waiting: int = 256,
        observer: Observer | None = None,
    ) -> None:
        self._batch = Batch(model)
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._observer = observer or Observer()
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()
        self._is_closed = False
        self._seconds_per_step = 0.0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="textgen-engine", daemon=True)
        self._thread.start()

    @property
    def num_running(self) -> int:
        """Rows in the batch."""
        return len(self._rows)

    @property
    def num_waiting(self) -> int:
        """Rows in the queue."""
        return len(self._waiting)

    def submit(self, rows: Sequence[Row]) -> None:
        """Queue the rows of one request, all or none.

        Raises:
            QueueFullError: If too many rows wait already.
            EngineClosedError: If the engine has been closed.
        """
        with self._changed:
            if self._is_closed:
                raise EngineClosedError("The model has been unloaded")
            if len(self._waiting) + len(rows) > self._max_waiting:
                raise QueueFullError("The server is busy: its queue is full")
            self._waiting.extend(rows)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the current block; rows that are not finished receive an error."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        while self._await_work():
            try:
                self._drop_cancelled()
                self._admit()
                if self._rows:
                    self._decode()
            except Exception as error:
                # One thread serves all requests, so no error may end it: these rows fail, and
                # it continues with the next.
                logger.error("Decoding failed: %s", type(error).__name__)
                self._fail(self._rows, error)
                self._rows = []
                self._batch.keep([])
        self._fail([*self._rows, *self._waiting], EngineClosedError("The server is stopping"))
        self._rows = []
        self._waiting.clear()

    def _await_work(self) -> bool:
        with self._changed:
            while not (self._rows or self._waiting or self._is_closed):
                self._changed.wait()
            return not self._is_closed

    def _drop_cancelled(self) -> None:
        self._keep([index for index, row in enumerate(self._rows) if not row.is_cancelled])
        if any(row.is_cancelled for row in list(self._waiting)):
            with self._changed:
                kept = [row for row in self._waiting if not row.is_cancelled]
                self._waiting.clear()
                self._waiting.extend(kept)

    def _keep(self, indices: list[int]) -> None:
        self._batch.keep(indices)
        self._rows = [self._rows[index] for index in indices]

    def _admit(self) -> None:
        while self._waiting and len(self._rows) < self._max_rows:
            free = min(self._max_rows - len(self._rows), _MAX_PROMPTS_PER_CALL)
            with self._changed:
                new = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
            try:
                self._add(new)
            except GenerationError:
                # One of them is to blame; the others are processed without it.
                for row in new:
                    try:
                        self._add([row])
                    except GenerationError as error:
                        self._fail([row], error)

    def _add(self, rows: list[Row]) -> None:
        self._batch.add([row.prompt for row in rows])
        self._rows += rows

    def _decode(self) -> None:
        affordable = int(_SECONDS_PER_BLOCK / max(self._seconds_per_step, 1e-6))
        started = time.perf_counter()
        outputs = self._batch.decode(max(1, min(affordable, _MAX_TOKENS_PER_BLOCK)))
        seconds = time.perf_counter() - started
        counts = outputs["num_tokens"]
        num_steps = max(int(counts.max()), 1)
        self._seconds_per_step += (seconds / num_steps - self._seconds_per_step) / 4
        pieces = [_piece(outputs, index, row) for index, row in enumerate(self._rows)]
        rows = self._rows
        self._keep([index for index, piece in enumerate(pieces) if not piece.is_last])
        self._observer.decoded(len(rows), int(counts.sum()), seconds)
        for row, piece in zip(rows, pieces, strict=True):
            row.receive(piece)

    @staticmethod
    def _fail(rows: Sequence[Row], error: Exception) -> None:
        for row in rows:
            row.receive(Piece(error=error))


def _piece(outputs: Arrays, index: int, row: Row) -> Piece:
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
