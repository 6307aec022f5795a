"""Runs the application: sockets, signals, TLS, and new versions while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from textgen.errors import ConfigError
from textgen.serving.http.shelf import Shelf


@dataclass(frozen=True)
class Listener:
    """Where and how a server listens.

    Attributes:
        host: Address or name of the interface.
        port: 0 takes a free one.
        grace: Seconds that running requests have to complete when the server stops.
        reload_seconds: How often to look for new versions; `None` never.
        certfile: TLS certificate.
        keyfile: Its key.

    Raises:
        ConfigError: If the certificate and its key cannot be used.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    grace: float = 30.0
    reload_seconds: float | None = 5.0
    certfile: Path | None = None
    keyfile: Path | None = None

    def __post_init__(self) -> None:
        if self.certfile is None:
            return
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certfile, self.keyfile)
        except OSError:
            raise ConfigError(
                "certfile and keyfile must be a certificate and its key, as PEM. "
                f"Received: {self.certfile}, {self.keyfile}"
            ) from None


def run(
    app: ASGIApp, shelf: Shelf, listener: Listener, on_ready: Callable[[str], None]
) -> signal.Signals | None:
    """Serve until SIGINT or SIGTERM.

    Running requests have the listener's grace to complete; a second signal ends them at once.

    Args:
        app: The application.
        shelf: Its models, which are closed at the end.
        listener: Where to listen.
        on_ready: Called with the server's URL when it answers.

    Returns:
        The signal that stopped it.

    Raises:
        OSError: If the address cannot be used.
    """
    config = uvicorn.Config(
        app,
        host=listener.host,
        port=listener.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=max(int(listener.grace), 1),
        ssl_certfile=listener.certfile,
        ssl_keyfile=listener.keyfile,
    )
    server = _Server(config)
    try:
        with _bind(listener) as bound:
            asyncio.run(_serve(server, bound, shelf, listener, on_ready))
    finally:
        shelf.close()
    return server.stopped_by


async def _serve(
    server: _Server,
    bound: socket.socket,
    shelf: Shelf,
    listener: Listener,
    on_ready: Callable[[str], None],
) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop, number)
    scheme = "https" if listener.certfile else "http"
    host = f"[{listener.host}]" if ":" in listener.host else listener.host
    url = f"{scheme}://{host}:{bound.getsockname()[1]}"
    server.on_ready = lambda: on_ready(url)
    async with _refreshing(shelf, listener.reload_seconds):
        await server.serve(sockets=[bound])


class _Server(uvicorn.Server):
    """uvicorn's server; it leaves signals to `run` and reports that it listens."""

    on_ready: Callable[[], None]
    stopped_by: signal.Signals | None = None

    def stop(self, number: signal.Signals) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self.stopped_by = number

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()


def _bind(listener: Listener) -> socket.socket:
    """Return a socket that is bound, so that a port in use is an error and not a log line."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        listener.host, listener.port, type=socket.SOCK_STREAM
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.asynccontextmanager
async def _refreshing(shelf: Shelf, seconds: float | None) -> AsyncIterator[None]:
    """Look for new versions during the block."""

    async def refresh() -> None:
        while seconds is not None:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(shelf.refresh)

    task = asyncio.create_task(refresh())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
