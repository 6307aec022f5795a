"""Samples of a model in training, always from the same prompt and with the same seed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from textgen.generation.generator import Generator
from textgen.models.base import LanguageModel
from textgen.tokenizer import Tokenizer

_NUM_TOKENS = 120


@contextlib.contextmanager
def _unoptimized() -> Iterator[None]:
    """Keep TensorFlow from optimizing graphs: for few short samples, that takes too long."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        is_disabled = before.get("disable_meta_optimizer", False)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": is_disabled})


class SampleGenerator:
    """Generates samples of a model in training.

    The decode graph is built once; later samples only copy newer weights into it.

    Args:
        tokenizer: The tokenizer of the model.
        has_documents: Whether the model is trained on whole documents.
        is_seen: bool[V], the tokens of the training part, if known.
        prompt: What the samples continue, and begin with.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        has_documents: bool,
        is_seen: np.ndarray | None = None,
        prompt: str = "",
    ) -> None:
        self._prompt = prompt
        self._tokenizer = tokenizer
        self._has_documents = has_documents
        self._is_seen = is_seen
        self._generator: Generator | None = None

    def __call__(self, model: LanguageModel) -> str:
        """Return what the model generates from the prompt. Every call must pass the same model."""
        if self._generator is None:
            # A whole prompt needs no healing, which is half of the graph.
            self._generator = Generator.of_model(
                model, self._tokenizer, self._has_documents, self._is_seen, heals=False
            )
            # AutoGraph would analyze all of it for seconds and change nothing.
            self._graph = tf.function(self._generator.generate, autograph=False)
        else:
            self._generator.decoder.assign(model.decoder_weights())
        inputs = {
            "max_new_tokens": tf.constant([_NUM_TOKENS]),
            "seed": tf.constant([0], tf.int64),
        }
        with _unoptimized():
            output = self._graph(tf.constant([self._prompt]), inputs)
        return self._prompt + output.text_bytes.numpy()[0].decode("utf-8", errors="replace")
