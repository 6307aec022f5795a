"""Helpers for tests of the server."""

import contextlib
import dataclasses
import http.client
import json
import queue
import threading
import time

import numpy as np
import pytest
import uvicorn

from tests.waiting import PATIENCE, wait_until
from textgen.catalog import Catalog, ModelEntry
from textgen.config import SamplingConfig
from textgen.inference import TextGenerator
from textgen.inference.feeds import sampling_feeds
from textgen.serving.http.app import App
from textgen.serving.http.batch import Batch, Prompt
from textgen.serving.http.limits import Limits
from textgen.serving.http.metrics import Metrics
from textgen.serving.http.row import Row
from textgen.serving.http.security import Access
from textgen.serving.http.shelf import Shelf


@pytest.fixture(scope="session")
def generator(exported_models):
    """The tiny Transformer, loaded."""
    entry = ModelEntry("transformer", 1, exported_models["transformer"].path)
    with TextGenerator(entry) as loaded:
        yield loaded


def make_row(text, receive=lambda piece: None, **sampling):
    """A row that continues `text`."""
    config = SamplingConfig(**sampling)
    inputs = {
        "prompts": np.array([text.encode()], object),
        **sampling_feeds(config, [config.seed or 0]),
    }
    return Row(Prompt(inputs, {}), receive, config.logprobs)


class Reader:
    """Submits a row and collects its pieces."""

    def __init__(self, engine, text, **sampling):
        self._pieces = queue.Queue()
        self.row = make_row(text, self._pieces.put, **sampling)
        engine.submit([self.row])

    def pieces(self):
        """All pieces, up to the last one."""
        while True:
            piece = self._pieces.get(timeout=PATIENCE)
            yield piece
            if piece.is_last:
                return

    def read(self):
        """The whole text and the reason why it ended."""
        pieces = [*self.pieces()]
        assert pieces[-1].error is None, pieces[-1].error
        return b"".join(piece.text for piece in pieces).decode(), pieces[-1].finish_reason


@dataclasses.dataclass
class Reply:
    """A response: its status, headers and body."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.content)


@dataclasses.dataclass
class Running:
    """A server on a port of its own."""

    port: int
    shelf: Shelf

    @property
    def url(self):
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self):
        """A connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def request(self, method, path, body=None, **headers):
        """Send a request and read the whole response."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())

    def get(self, path, **headers):
        """GET a path."""
        return self.request("GET", path, **headers)

    def post(self, path, body, **headers):
        """POST JSON."""
        return self.request("POST", path, body, **headers)

    def events(self, body):
        """POST a completion and return its server-sent events."""
        reply = self.post("/v1/completions", {**body, "stream": True})
        assert reply.status == 200, reply.content
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = [line for line in reply.content.decode().split("\n\n") if line]
        assert all(event.startswith("data: ") for event in events)
        assert events[-1] == "data: [DONE]"
        return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


@contextlib.contextmanager
def running(folder, names=(), limits=None, access=None):
    """Run a server in a thread."""
    limits, access, metrics = limits or Limits(), access or Access(), Metrics()
    shelf = Shelf(Catalog(folder), names, limits, metrics)
    app = App(shelf, limits, access, metrics).asgi()
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    try:
        yield Running(server.servers[0].sockets[0].getsockname()[1], shelf)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        shelf.close()


@pytest.fixture(scope="session")
def server(exported_models):
    """A server of the tiny models."""
    folder = exported_models["transformer"].path.parents[1]
    with running(folder, ["transformer", "lstm"]) as started:
        yield started


@pytest.fixture
def slow_decoder(monkeypatch):
    """Make decoding so slow that no long text ends before a test has acted on it."""
    decode = Batch.decode

    def decode_slowly(batch, num_tokens):
        time.sleep(0.1)
        return decode(batch, num_tokens)

    monkeypatch.setattr(Batch, "decode", decode_slowly)
