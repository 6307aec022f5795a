"""The routes of TensorFlow Serving's REST API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from textgen.serving.http.errors import ApiError, PredictError
from textgen.serving.http.limits import Limits
from textgen.serving.http.predict import predict
from textgen.serving.http.predict_answers import metadata, status
from textgen.serving.http.served import ServedModel
from textgen.serving.http.shelf import Shelf


class PredictRoutes:
    """Answers the requests of TensorFlow Serving's clients.

    Args:
        shelf: The models.
        limits: How much requests may ask for.
        read: Returns a request's body.
    """

    def __init__(
        self, shelf: Shelf, limits: Limits, read: Callable[[Request], Awaitable[bytes]]
    ) -> None:
        self._shelf = shelf
        self._limits = limits
        self._read = read
        # These requests have one thread, beside those of the engines.
        self._runs: anyio.CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """Return the routes, to stand before one that takes any path below `/v1/models`."""
        version = "/v1/models/{name}/versions/{version}"
        return [
            Route("/v1/models/{name}/metadata", self._answer_metadata),
            Route(f"{version}/metadata", self._answer_metadata),
            Route(f"{version}:{{verb}}", self._run, methods=["POST"]),
            Route(version, self._answer_status),
            Route("/v1/models/{name}:{verb}", self._run, methods=["POST"]),
        ]

    async def _run(self, request: Request) -> Response:
        if request.path_params["verb"] != "predict":
            raise PredictError(400, f"Malformed request: POST {request.url.path}")
        content = await self._read(request)
        if self._runs is None:
            self._runs = anyio.CapacityLimiter(1)
        if self._runs.statistics().tasks_waiting >= self._limits.max_waiting:
            raise PredictError(429, "The server is busy: its queue is full")
        is_gone = threading.Event()

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            is_gone.set()

        watcher = asyncio.create_task(watch())
        try:
            with _VersionInUse(self._shelf, request, "Servable not found for request: {}") as model:
                arguments = (model.saved_model, content, self._limits, is_gone.is_set)
                body = await anyio.to_thread.run_sync(predict, *arguments, limiter=self._runs)
        finally:
            watcher.cancel()
        return Response(body, media_type="application/json")

    async def _answer_metadata(self, request: Request) -> Response:
        with _VersionInUse(self._shelf, request, "Servable not found for request: {}") as served:
            name, signatures = request.path_params["name"], served.saved_model.signatures
            return JSONResponse(metadata(name, served.entry.version, signatures))

    async def _answer_status(self, request: Request) -> Response:
        message = "Could not find version {version} of model {name}"
        message = message.format(**request.path_params)
        with _VersionInUse(self._shelf, request, message) as served:
            return JSONResponse({"model_version_status": status(served.entry.version)})


class _VersionInUse:
    """The model that a path names, in use until the end of a block.

    Args:
        shelf: The models.
        request: Its path has a `name`, and maybe a `version`.
        message: TensorFlow Serving's words for a model that is not there, with `{}` for it.
    """

    def __init__(self, shelf: Shelf, request: Request, message: str) -> None:
        path: dict[str, Any] = request.path_params
        self._shelf = shelf
        self._name = path["name"]
        self._version = path.get("version")
        self._message = message
        self._stack = ExitStack()

    def __enter__(self) -> ServedModel:
        names = [self._name]
        if self._version is not None:
            names.append(f"{self._name}/{self._version}")
        for name in names:
            try:
                _, served = self._stack.enter_context(self._shelf.use(name))
            except ApiError:
                continue
            if self._version in (None, str(served.entry.version)):
                return served
        self._stack.close()
        spec = f"Latest({self._name})"
        if self._version is not None:
            spec = f"Specific({self._name}, {self._version})"
        raise PredictError(404, self._message.format(spec))

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
