"""Figures for Prometheus."""

from __future__ import annotations

import logging
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textgen.serving.http.engine import Observer

logger = logging.getLogger(__name__)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics(Observer):
    """Counts what the server does.

    Example:
        >>> Metrics().render()
        b'# HELP textgen_requests_total ...'
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "textgen_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "textgen_request_seconds", "Time per request.", ["route"], registry=registry
        )
        self._tokens = Counter("textgen_tokens", "Generated tokens.", registry=registry)
        self._rows = Histogram(
            "textgen_batch_rows",
            "Texts decoded together, per block.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self._blocks = Histogram(
            "textgen_block_seconds",
            "Time per block of tokens.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._first_token = Histogram(
            "textgen_time_to_first_token_seconds",
            "Time from a request to its first token.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._token_seconds = Histogram(
            "textgen_time_per_token_seconds",
            "Time per token after the first ones.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.running = Gauge("textgen_rows_running", "Texts in the batches.", registry=registry)
        self.waiting = Gauge("textgen_rows_waiting", "Texts in the queues.", registry=registry)

    def decoded(self, num_rows: int, num_tokens: int, seconds: float) -> None:
        """Count a block of the engine."""
        self._rows.observe(num_rows)
        self._tokens.inc(num_tokens)
        self._blocks.observe(seconds)

    def observe_first_token(self, seconds: float) -> None:
        """Count the time a client waited for the first piece."""
        self._first_token.observe(seconds)

    def observe_gap(self, seconds: float, num_tokens: int) -> None:
        """Count the time between two pieces of a request."""
        if num_tokens:
            self._token_seconds.observe(seconds / num_tokens)

    def render(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self.registry)


class CountingMiddleware:
    """Counts and times requests by their route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answered = time.perf_counter(), 499  # nginx's word for a client that went away

        async def send_and_note(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = scope.get("route")
            # The route, not the path, of which there are too many to count.
            label = getattr(route, "path", "unknown")
            seconds = time.perf_counter() - started
            self._metrics.requests.labels(label, str(answered)).inc()
            self._metrics.request_seconds.labels(label).observe(seconds)
            logger.debug("%s %s %d, %.3f s", scope["method"], label, answered, seconds)
