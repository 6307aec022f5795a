"""Continuous batching: texts of many requests, decoded together.

A thread per core repeats three steps: drop rows that finished or were cancelled, process the
prompts of waiting rows, decode a block of a few tokens in all rows. A row's text depends on its
own inputs only, so it is the same under any load.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

from textgen.errors import GenerationError, TextgenError
from textgen.runtime import SavedModel
from textgen.serving.http.batch import Batch
from textgen.serving.http.row import Piece, Row, make_piece

logger = logging.getLogger(__name__)

# How much processor time a block should take. Rows join and leave only between blocks, and a call
# costs a millisecond or two in addition to its tokens. Wall time would not do: while other programs
# are busy, blocks would become short, and their overhead would cost most of what is left.
_SECONDS_PER_BLOCK = 0.03
_MAX_TOKENS_PER_BLOCK = 32
# Prompts that are processed in one call; padding them to the longest costs time.
_MAX_PROMPTS_PER_CALL = 16
_MAX_THREADS = 4


class QueueFullError(TextgenError):
    """Too many rows wait already; the client should try again later."""


class EngineClosedError(TextgenError):
    """The engine has been closed, and the row will not be finished."""


class Observer:
    """Receives reports of the engine's work; this one ignores them."""

    def decoded(self, num_rows: int, num_tokens: int, seconds: float) -> None:
        """A block is done: rows in it, tokens generated in all of them, and its time."""


class Engine:
    """Decodes the rows of all requests to one model.

    Args:
        model: An exported model.
        max_rows: Maximum number of rows decoded at a time.
        max_waiting: Maximum number of rows that wait.
        num_threads: Threads that decode, each with a batch of its own. Defaults to the number of
            CPU cores, up to 4.
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
        num_threads: int | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._max_rows = max_rows
        self._max_waiting = max_waiting
        self._waiting: deque[Row] = deque()
        self._is_closed = False
        self._changed = threading.Condition()
        count = num_threads or min(len(os.sched_getaffinity(0)), _MAX_THREADS)
        self._workers = [_Worker(self, Batch(model), observer or Observer()) for _ in range(count)]
        for worker in self._workers:
            worker.start()

    @property
    def num_running(self) -> int:
        """Rows in the batches."""
        return sum(worker.load for worker in self._workers)

    @property
    def num_waiting(self) -> int:
        """Rows in the queue."""
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        """Whether a thread still runs."""
        return any(worker.is_alive() for worker in self._workers)

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
            self._changed.notify_all()

    def close(self) -> None:
        """Stop after the current block; rows that are not finished receive an error."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()
        _fail(self._waiting, EngineClosedError("The server is stopping"))
        self._waiting.clear()

    def take(self, worker: _Worker) -> list[Row] | None:
        """Return rows that a worker should add to its own.

        Blocks while the worker has nothing to do.

        Returns:
            As many rows as balance the workers; `None` when the engine is closed.
        """
        with self._changed:
            while True:
                worker.load = len(worker.rows)
                self._drop_cancelled()
                if self._is_closed:
                    return None
                total = min(self.num_running + len(self._waiting), self._max_rows)
                share = -(-total // len(self._workers)) - worker.load
                count = min(share, len(self._waiting), self._max_rows - self.num_running)
                if count > 0 or worker.rows:
                    rows = [self._waiting.popleft() for _ in range(max(count, 0))]
                    worker.load += len(rows)
                    return rows
                self._changed.wait()

    def freed(self) -> None:
        """Notify the other workers that there is capacity again."""
        if self._waiting:
            with self._changed:
                self._changed.notify_all()

    def _drop_cancelled(self) -> None:
        if any(row.is_cancelled for row in self._waiting):
            kept = [row for row in self._waiting if not row.is_cancelled]
            self._waiting.clear()
            self._waiting.extend(kept)


class _Worker(threading.Thread):
    """Decodes one batch.

    Args:
        engine: Where rows come from.
        batch: An empty batch.
        observer: Receives a report of every block.

    Attributes:
        rows: The rows of the batch.
        load: The number of them and of those about to be added; the engine's lock guards it.
    """

    def __init__(self, engine: Engine, batch: Batch, observer: Observer) -> None:
        super().__init__(name="textgen-engine", daemon=True)
        self.rows: list[Row] = []
        self.load = 0
        self._engine = engine
        self._batch = batch
        self._observer = observer
        self._seconds_per_step = 0.0

    def run(self) -> None:
        """Decode until the engine is closed."""
        while (new := self._engine.take(self)) is not None:
            try:
                self._keep([i for i, row in enumerate(self.rows) if not row.is_cancelled])
                self._admit(new)
                if self.rows:
                    self._decode()
            except Exception as error:
                # The thread serves many requests, so no error may end it: these rows fail, and
                # it continues with the next.
                logger.error("Decoding failed: %s", type(error).__name__)
                _fail(self.rows, error)
                self.rows = []
                self._batch.keep([])
            self._engine.freed()
        _fail(self.rows, EngineClosedError("The server is stopping"))
        self.rows, self.load = [], 0

    def _keep(self, indices: list[int]) -> None:
        self._batch.keep(indices)
        self.rows = [self.rows[index] for index in indices]

    def _admit(self, rows: list[Row]) -> None:
        for start in range(0, len(rows), _MAX_PROMPTS_PER_CALL):
            new = rows[start : start + _MAX_PROMPTS_PER_CALL]
            try:
                self._add(new)
            except GenerationError:
                # One of them is to blame; the others are processed without it.
                for row in new:
                    try:
                        self._add([row])
                    except GenerationError as error:
                        _fail([row], error)

    def _add(self, rows: list[Row]) -> None:
        self._batch.add([row.prompt for row in rows])
        self.rows += rows

    def _decode(self) -> None:
        affordable = int(_SECONDS_PER_BLOCK / max(self._seconds_per_step, 1e-6))
        started, processor = time.perf_counter(), time.thread_time()
        outputs = self._batch.decode(max(1, min(affordable, _MAX_TOKENS_PER_BLOCK)))
        seconds = time.perf_counter() - started
        counts = outputs["num_tokens"]
        num_steps = max(int(counts.max()), 1)
        per_step = (time.thread_time() - processor) / num_steps
        self._seconds_per_step += (per_step - self._seconds_per_step) / 4
        pieces = [make_piece(outputs, index, row) for index, row in enumerate(self.rows)]
        rows = self.rows
        self._keep([index for index, piece in enumerate(pieces) if not piece.is_last])
        self._observer.decoded(len(rows), int(counts.sum()), seconds)
        for row, piece in zip(rows, pieces, strict=True):
            row.receive(piece)


def _fail(rows: Iterable[Row], error: Exception) -> None:
    """Send an error as the last piece of rows."""
    for row in rows:
        row.receive(Piece(error=error))
