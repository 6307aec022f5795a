"""Samples of a model in training, always from the same prompt and with the same seed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from textgen.generation.generator import Generator
from textgen.memory import return_memory
from textgen.models.base import LanguageModel
from textgen.tensorflow_internals import without_stack_traces
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

    The decode graph is built once. Every sample feeds it the newest weights: in variables, a copy
    of them would take memory while the model trains.

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
        self._generate: Callable[[dict[str, tf.Tensor]], tf.Tensor] | None = None

    def __call__(self, model: LanguageModel) -> str:
        """Return what the model generates from the prompt. Every call must pass the same model."""
        if self._generate is None:
            # AutoGraph would analyze all of it for seconds and change nothing.
            generate = without_stack_traces(self._in_graph(model))
            self._generate = tf.function(generate, autograph=False)
        # One by one, so that memory holds one copy of the weights and not two.
        weights = {name: tf.constant(value) for name, value in model.fused_weights()}
        with _unoptimized():
            text = self._generate(weights).numpy()[0]
        del weights
        # The first step is compiled next, which takes much.
        return_memory()
        return self._prompt + text.decode("utf-8", errors="replace")

    def _in_graph(self, model: LanguageModel) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
        """Return a function of the weights of a model, which returns what it generates."""
        decoder_class, shape = model.decoder_class, (model.config, model.vocab_size)
        inputs = {"max_new_tokens": [_NUM_TOKENS], "seed": np.zeros(1, np.int64)}

        def generate(weights: dict[str, tf.Tensor]) -> tf.Tensor:
            decoder = decoder_class(*shape, weights)
            # A whole prompt needs no healing, which is half of the graph.
            generator = Generator(
                decoder, self._tokenizer, self._has_documents, self._is_seen, heals=False
            )
            given = {name: tf.constant(value) for name, value in inputs.items()}
            return generator.generate(tf.constant([self._prompt]), given).text_bytes

        return generate
