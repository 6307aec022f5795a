"""Helpers for tests of the server."""

import queue

import numpy as np
import pytest

from textgen.catalog import ModelEntry
from textgen.config import SamplingConfig
from textgen.inference import TextGenerator
from textgen.inference.feeds import sampling_feeds
from textgen.serving.http.batch import Prompt
from textgen.serving.http.engine import Row


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
            piece = self._pieces.get(timeout=60)
            yield piece
            if piece.is_last:
                return

    def read(self):
        """The whole text and the reason why it ended."""
        pieces = [*self.pieces()]
        assert pieces[-1].error is None, pieces[-1].error
        return b"".join(piece.text for piece in pieces).decode(), pieces[-1].finish_reason
