"""`/v1/completions`: texts, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from textgen.serving.http.batch import Prompt
from textgen.serving.http.choice import Choice, LogprobsWriter, Token, prompt_tokens
from textgen.serving.http.completion_request import CompletionRequest
from textgen.serving.http.engine import EngineClosedError, QueueFullError
from textgen.serving.http.errors import ApiError, busy
from textgen.serving.http.mailbox import Mailbox
from textgen.serving.http.metrics import Metrics
from textgen.serving.http.row import Piece, Row
from textgen.serving.http.served import ServedModel

logger = logging.getLogger(__name__)

# OpenAI has two reasons. A text whose time is up was cut off like one that is too long.
_FINISH_REASONS = {"": None, "stop": "stop", "length": "length", "time": "length"}
_DONE = b"data: [DONE]\n\n"


class Completion:
    """One request while it is answered.

    Args:
        served: The model.
        name: What the client calls it.
        request: What it asked for.
        metrics: Where times and tokens are counted.
        mailbox: Brings texts from the engine's threads to the event loop.
    """

    def __init__(
        self,
        served: ServedModel,
        name: str,
        request: CompletionRequest,
        metrics: Metrics,
        mailbox: Mailbox,
    ) -> None:
        self._mailbox = mailbox
        self._served = served
        self._request = request
        self._metrics = metrics
        self._prompts = [served.encode_prompt(p, request.parse_special) for p in request.prompts]
        count = len(self._prompts) * request.num_choices
        self._seeds = _seeds(request.config.seed, request.num_choices, count)
        self._pieces: asyncio.Queue[tuple[int, Piece]] = asyncio.Queue()
        pieces = served.tokenizer.pieces
        self._choices = [Choice(request.config.stop, pieces) for _ in range(count)]
        self._writers = [LogprobsWriter(served.token_names, pieces) for _ in range(count)]
        self._row_prompts: list[Prompt] | None = None
        self._rows: list[Row] = []
        self._num_running = 0
        self._is_cancelled = False
        self._header = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": name,
        }

    async def whole(self) -> dict[str, Any]:
        """Return the response with all texts.

        Raises:
            ApiError: If a text could not be generated.
        """
        answers = [self._choice(index, "", [], None) for index in range(len(self._choices))]
        async for index, text, tokens, reason in self._parts():
            answer = answers[index]
            answer["text"] += text
            answer["finish_reason"] = reason
            if answer["logprobs"] is not None:
                for name, values in self._writers[index].write(tokens).items():
                    answer["logprobs"][name] += values
        return {**self._header, "choices": answers, "usage": self._usage()}

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the response as server-sent events; errors become the last one.

        Events that are ready together are one value, so that they are sent together.
        """
        usage = {"usage": None} if self._request.include_usage else {}
        ready: list[bytes] = []
        try:
            async for index, text, tokens, reason in self._parts():
                choice = self._choice(index, text, tokens, reason)
                ready.append(_event({**self._header, "choices": [choice], **usage}))
                if self._num_running and self._pieces.empty():
                    yield b"".join(ready)
                    ready.clear()
        except ApiError as error:
            ready.append(_event(error.to_dict()))
        else:
            if self._request.include_usage:
                ready.append(_event({**self._header, "choices": [], "usage": self._usage()}))
        yield b"".join([*ready, _DONE])

    def prepare(self) -> None:
        """Make what the texts start from; with constraints it may take a second.

        Raises:
            ApiError: If the request cannot be followed.
        """
        texts = [text for text, _ in self._prompts]
        self._row_prompts = self._served.prompts(self._request, texts, self._seeds)

    def start(self) -> None:
        """Queue the texts.

        Raises:
            ApiError: If the queue is full, or the request cannot be followed.
        """
        if self._request.is_empty:
            return
        if self._row_prompts is None:
            self.prepare()

        def receiver(index: int) -> Callable[[Piece], None]:
            return lambda piece: self._mailbox.post(self._pieces.put_nowait, (index, piece))

        rows = [
            Row(prompt, receiver(index), self._request.config.logprobs)
            for index, prompt in enumerate(self._row_prompts or ())
        ]
        try:
            self._served.engine.submit(rows)
        except QueueFullError:
            raise busy() from None
        except EngineClosedError as error:
            raise ApiError(503, f"{error}") from None
        self._rows, self._num_running = rows, len(rows)

    def cancel(self) -> None:
        """Free the rows that still run."""
        self._is_cancelled = True
        for row in self._rows:
            row.is_cancelled = True

    async def _parts(self) -> AsyncIterator[tuple[int, str, list[Token], str | None]]:
        """Yield what is added to the texts: index, text, its tokens, reason to finish."""
        started, previous = time.perf_counter(), 0.0
        try:
            if self._request.echo:
                async for part in self._echoes():
                    yield part
            if self._request.is_empty:
                for index in range(len(self._choices)):
                    yield index, "", [], "length"
            while self._num_running:
                index, piece = await self._pieces.get()
                if piece.error is not None:
                    raise _failure(piece.error)
                if piece.finish_reason == "error":
                    message = "No token is left to choose from; relax the controls"
                    raise ApiError(400, message)
                now = time.perf_counter()
                if previous:
                    self._metrics.observe_gap(now - previous, len(piece.token_ids))
                else:
                    self._metrics.observe_first_token(now - started)
                previous = now
                text, tokens = self._choices[index].add(piece)
                self._num_running -= piece.is_last
                if text or tokens or piece.is_last:
                    yield index, text, tokens, _FINISH_REASONS[piece.finish_reason]
        finally:
            self.cancel()

    async def _echoes(self) -> AsyncIterator[tuple[int, str, list[Token], None]]:
        """Yield the prompts, with their log-probabilities if these are asked for."""
        config, pieces = self._request.config, self._served.tokenizer.pieces
        all_tokens: list[list[Token]] = [[] for _ in self._prompts]
        if config.logprobs is not None:
            scored = await anyio.to_thread.run_sync(
                self._served.score,
                self._prompts,
                config.logprobs,
                lambda: self._is_cancelled,
                abandon_on_cancel=True,
            )
            for number, (_, ids) in enumerate(self._prompts):
                specials = ids[: self._served.num_boundaries(ids)]
                all_tokens[number] = prompt_tokens(scored[number], specials, pieces)
        for index in range(len(self._choices)):
            number = index // self._request.num_choices
            text = self._prompts[number][0].decode("utf-8", errors="replace")
            yield index, text, all_tokens[number], None

    def _choice(
        self, index: int, text: str, tokens: list[Token], reason: str | None
    ) -> dict[str, Any]:
        wants_logprobs = self._request.config.logprobs is not None
        return {
            "index": index,
            "text": text,
            "logprobs": self._writers[index].write(tokens) if wants_logprobs else None,
            "finish_reason": reason,
            "seed": self._seeds[index],
        }

    def _usage(self) -> dict[str, int]:
        prompt = sum(len(ids) for _, ids in self._prompts)
        completion = sum(choice.num_tokens for choice in self._choices)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


class CancellableResponse(Response):
    """Answers a completion; a client that disconnects cancels it.

    Args:
        completion: Queued already.
        stream: Whether to send events.
        release: Called when the response is over, however it ends.
    """

    def __init__(self, completion: Completion, stream: bool, release: Callable[[], Any]) -> None:
        super().__init__()
        self._completion = completion
        self._stream = stream
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the response until it is sent or the client is gone."""

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                if self._stream:
                    await self._send_events(send)
                else:
                    await self._send_whole(scope, receive, send)
                group.cancel_scope.cancel()
        finally:
            self._completion.cancel()
            self._release()

    async def _send_events(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in self._completion.events():
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = JSONResponse(await self._completion.whole())
        except ApiError as error:
            response = JSONResponse(error.to_dict(), error.status, error.headers)
        await response(scope, receive, send)


def _event(value: dict[str, Any]) -> bytes:
    content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return b"data: " + content.encode("utf-8") + b"\n\n"


def _seeds(seed: int | None, num_choices: int, count: int) -> list[int]:
    """Return a seed per text.

    Given one, the texts of a prompt have it and those that follow, so that a prompt's texts do not
    depend on the other prompts of the request. Without one, all are fresh.
    """
    if seed is None:
        return [int.from_bytes(os.urandom(4), "little") for _ in range(count)]
    return [(seed + index % num_choices) % 2**63 for index in range(count)]


def _failure(error: Exception) -> ApiError:
    if isinstance(error, EngineClosedError):
        return ApiError(503, f"{error}")
    return ApiError(500, "The model failed to generate this text")
