"""What a model writes while it learns: to the same prompt, with the same seed, every time."""

from __future__ import annotations

import tensorflow as tf

from textgen.generation.generator import Generator
from textgen.models.base import LanguageModel
from textgen.tokenizer import Tokenizer

_TOKENS = 120


class SampleWriter:
    """Lets a model in training write.

    The decode graph is made once; later samples only bring newer weights into it.

    Args:
        tokenizer: of the model's vocabulary.
        has_documents: whether it is trained on whole documents.
    """

    def __init__(self, tokenizer: Tokenizer, has_documents: bool) -> None:
        self._tokenizer = tokenizer
        self._has_documents = has_documents
        self._generator: Generator | None = None

    def __call__(self, model: LanguageModel) -> str:
        """Return what the model, which is the same in every call, writes from nothing."""
        if self._generator is None:
            self._generator = Generator.of_model(model, self._tokenizer, self._has_documents)
            # AutoGraph would read all of it for seconds and change nothing.
            self._graph = tf.function(self._generator.generate, autograph=False)
        else:
            self._generator.decoder.assign(model.decoder_weights())
        asked = {"max_new_tokens": tf.constant([_TOKENS]), "seed": tf.constant([0], tf.int64)}
        written = self._graph(tf.constant([""]), asked)
        return written.text_bytes.numpy()[0].decode("utf-8", errors="replace")
