"""The application: its routes, and the response of each."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import ExitStack
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from textgen.inference.constraints import is_constrained
from textgen.serving.http import openapi, page
from textgen.serving.http.chat import ChatCompletion, parse_chat
from textgen.serving.http.completion_request import CompletionRequest, parse_completion
from textgen.serving.http.completions import CancellableResponse, Completion
from textgen.serving.http.errors import (
    ApiError,
    PredictError,
    answer_api_error,
    answer_http_error,
    answer_nothing,
    answer_predict_error,
    answer_unexpected,
)
from textgen.serving.http.limits import Limits
from textgen.serving.http.mailbox import Mailbox
from textgen.serving.http.metrics import CountingMiddleware, Metrics
from textgen.serving.http.predict_answers import status
from textgen.serving.http.predict_routes import PredictRoutes
from textgen.serving.http.security import Access, SecurityMiddleware
from textgen.serving.http.served import ServedModel
from textgen.serving.http.shelf import Shelf

logger = logging.getLogger(__name__)


class App:
    """The HTTP API of the models on a shelf.

    Args:
        shelf: The models.
        limits: How much requests may ask for.
        access: Who may send requests.
        metrics: Where requests are counted; the shelf's observer.
        log_prompts: Whether to log the prompts of completions.

    Example:
        >>> app = App(shelf, Limits(), Access(), Metrics()).asgi()
        >>> uvicorn.run(app)
    """

    def __init__(
        self,
        shelf: Shelf,
        limits: Limits,
        access: Access,
        metrics: Metrics,
        log_prompts: bool = False,
    ) -> None:
        self._shelf = shelf
        self._limits = limits
        self._access = access
        self._metrics = metrics
        self._log_prompts = log_prompts
        self._schema = openapi.describe(limits)
        self._docs = openapi.docs_page(self._schema)
        self._page = page.read()
        self._mailbox: Mailbox | None = None

    def asgi(self) -> ASGIApp:
        """Return the application that a server such as uvicorn runs."""
        middleware = [
            Middleware(CountingMiddleware, metrics=self._metrics),
            Middleware(SecurityMiddleware, access=self._access),
        ]
        if self._access.origins:
            cors = Middleware(
                CORSMiddleware,
                allow_origins=list(self._access.origins),
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
            )
            middleware.insert(1, cors)
        return Starlette(
            routes=[
                Route("/", self._answer_page),
                Route("/health", self._answer_health),
                Route("/metrics", self._answer_metrics),
                Route("/docs", self._answer_docs),
                Route("/openapi.json", self._answer_schema),
                Route("/v1/models", self._answer_models),
                Route("/v1/completions", self._answer_completion, methods=["POST"]),
                Route("/v1/chat/completions", self._answer_chat, methods=["POST"]),
                Route("/tokenize", self._answer_tokenize, methods=["POST"]),
                Route("/detokenize", self._answer_detokenize, methods=["POST"]),
                Route("/tokenizer_info", self._answer_tokenizer_info),
                *PredictRoutes(self._shelf, self._limits, self._read).routes(),
                Route("/v1/models/{name:path}", self._answer_model),
            ],
            middleware=middleware,
            exception_handlers={
                ApiError: answer_api_error,
                PredictError: answer_predict_error,
                HTTPException: answer_http_error,
                ClientDisconnect: answer_nothing,
                Exception: answer_unexpected,
            },
        )

    async def _answer_completion(self, request: Request) -> Response:
        parsed = parse_completion(await self._read_json(request), self._limits)
        return await self._complete(request, parsed, Completion)

    async def _answer_chat(self, request: Request) -> Response:
        chat = parse_chat(await self._read_json(request), self._limits)
        with self._shelf.use(chat.request.model) as (name, served):
            parsed = await anyio.to_thread.run_sync(chat.render, name, served, self._limits)
        return await self._complete(request, parsed, ChatCompletion)

    async def _complete(
        self, request: Request, parsed: CompletionRequest, kind: type[Completion]
    ) -> Response:
        if await request.is_disconnected():
            raise ClientDisconnect
        if self._mailbox is None:
            self._mailbox = Mailbox(asyncio.get_running_loop())
        stack = ExitStack()
        try:
            name, served = stack.enter_context(self._shelf.use(parsed.model))
            if self._log_prompts:
                logger.info("Prompts for %s: %r", name, parsed.prompts)
            completion = kind(served, name, parsed, self._metrics, self._mailbox)
            if is_constrained(parsed.config):
                await anyio.to_thread.run_sync(completion.prepare)
            completion.start()
        except BaseException:
            stack.close()
            raise
        return CancellableResponse(completion, parsed.stream, stack.close)

    async def _answer_models(self, _: Request) -> Response:
        models = [self._describe(*pair) for pair in self._shelf.models.items()]
        return JSONResponse({"object": "list", "data": models})

    async def _answer_model(self, request: Request) -> Response:
        with self._shelf.use(request.path_params["name"]) as (name, served):
            description = self._describe(name, served)
            described = {"model_version_status": status(served.entry.version)}
            return JSONResponse(
                {**description, **described, "card": served.generator.card.to_dict()}
            )

    @staticmethod
    def _describe(name: str, served: ServedModel) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": served.created,
            "owned_by": "textgen",
            "version": served.entry.version,
            "max_model_len": served.context_length,
        }

    async def _answer_tokenize(self, request: Request) -> Response:
        body = await self._read_json(request)
        prompt = body.get("prompt", body.get("content")) if isinstance(body, dict) else None
        if not isinstance(prompt, str):
            raise ApiError(400, "prompt must be a string", param="prompt")
        parsed = parse_completion({"prompt": prompt, "model": body.get("model")}, self._limits)
        with self._shelf.use(parsed.model) as (_, served):
            # A special token is one only if it is the whole text, because no corpus contains it.
            if prompt in served.special_ids:
                ids = [served.special_ids[prompt]]
            else:
                ids = served.encode_prompt(prompt)[1]
            count = {"count": len(ids), "max_model_len": served.context_length}
            return JSONResponse({"tokens": ids, **count})

    async def _answer_detokenize(self, request: Request) -> Response:
        body = await self._read_json(request)
        ids = body.get("tokens") if isinstance(body, dict) else None
        with self._shelf.use(_model_name(body)) as (_, served):
            size = served.tokenizer.vocab_size
            is_id = lambda i: isinstance(i, int) and not isinstance(i, bool) and 0 <= i < size  # noqa: E731
            if not isinstance(ids, list) or not all(map(is_id, ids)):
                message = f"tokens must be a list of token ids in [0, {size - 1}]"
                raise ApiError(400, message, param="tokens")
            text = served.tokenizer.decode(ids)
            return JSONResponse({"prompt": text, "content": text})

    async def _answer_tokenizer_info(self, request: Request) -> Response:
        with self._shelf.use(request.query_params.get("model")) as (_, served):
            special, texts = served.tokenizer.special, served.tokenizer.special_texts
            chat = served.chat
            has_unknown = special.unknown not in (special.bos, special.eos)
            return JSONResponse(
                {
                    "tokenizer_class": served.tokenizer.kind,
                    "vocab_size": served.tokenizer.vocab_size,
                    "model_max_length": served.context_length,
                    "bos_token": texts.get(special.bos),
                    "eos_token": texts.get(special.eos),
                    "unk_token": texts.get(special.unknown) if has_unknown else None,
                    "pad_token": None,
                    "chat_template": None if chat is None else chat.template,
                }
            )

    async def _answer_health(self, _: Request) -> Response:
        models = {name: served.entry.version for name, served in self._shelf.models.items()}
        return JSONResponse({"status": "ok" if models else "loading", "models": models})

    async def _answer_metrics(self, _: Request) -> Response:
        engines = [served.engine for served in self._shelf.models.values()]
        self._metrics.running.set(sum(engine.num_running for engine in engines))
        self._metrics.waiting.set(sum(engine.num_waiting for engine in engines))
        return Response(self._metrics.render(), media_type="text/plain; version=0.0.4")

    async def _answer_docs(self, _: Request) -> Response:
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(self._docs, headers=headers)

    async def _answer_schema(self, _: Request) -> Response:
        return JSONResponse(self._schema)

    async def _answer_page(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers=page.headers(self._page))

    async def _read_json(self, request: Request) -> Any:
        content = await self._read(request)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise ApiError(400, "The body must be JSON") from None

    async def _read(self, request: Request) -> bytes:
        limit = self._limits.max_body_bytes
        parts, size = [], 0
        try:
            with anyio.fail_after(self._limits.max_read_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise ApiError(413, f"The body must have at most {limit} bytes")
                    parts.append(part)
        except TimeoutError:
            raise ApiError(408, "The request came too slowly") from None
        return b"".join(parts)


def _model_name(body: Any) -> str | None:
    name = body.get("model") if isinstance(body, dict) else None
    if name is not None and not isinstance(name, str):
        raise ApiError(400, "model must be a string", param="model")
    return name
