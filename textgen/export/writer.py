"""Write the SavedModel: graph, weights, model card, tokenizer file, sample requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from textgen.card import ModelCard
from textgen.catalog import CARD_PATH, CHAT_TEMPLATE_PATH, TOKENIZER_PATH
from textgen.export.requests import write_requests
from textgen.export.signatures import build_signatures
from textgen.generation import Generator
from textgen.tokenizer import Tokenizer

_v1 = tf.compat.v1
# Every part of the graph runs here once at most, which is quicker than to optimize it.
_UNOPTIMIZED = _v1.ConfigProto()
_UNOPTIMIZED.graph_options.rewrite_options.disable_meta_optimizer = True


def write_saved_model(
    folder: Path,
    generator: Generator,
    tokenizer: Tokenizer,
    card: ModelCard,
    chat_template: str | None = None,
) -> None:
    """Write a SavedModel with its model card, tokenizer file and sample requests.

    Tokenizer, decode loop and samplers are in the graph. It has no XLA, cuDNN or Python op,
    so that a stock TensorFlow Serving runs it on any machine. Every input and output has the
    batch as its first dimension, as server-side batching requires.
    docs/reference/signatures.md describes the signatures.

    Args:
        folder: A folder that does not exist yet, or is empty.
        generator: The decoder and tokenizer to export. Weights that are arrays, not variables,
            are freed as soon as they are in the session.
        tokenizer: The tokenizer of the host, for warnings about unknown characters.
        card: What people and programs should know about the model.
        chat_template: How a dialogue becomes a prompt, as a Jinja template, if the model talks.

    Raises:
        OSError: If the folder cannot be written.
    """
    weights = {name: np.asarray(value) for name, value in generator.decoder.weights.items()}
    try:
        if folder.is_dir():
            folder.rmdir()  # the builder creates it
        with tf.Graph().as_default(), _v1.Session(config=_UNOPTIMIZED) as session:
            # Initial values that are fed leave no copy of the weights in the graph.
            fed = {name: _v1.placeholder(tf.float32, v.shape) for name, v in weights.items()}
            decoder = generator.decoder.with_weights(fed)
            # One by one, so that of a large model memory holds no copy more than it must.
            for name, variable in decoder.weights.items():
                session.run(variable.initializer, {fed[name]: weights.pop(name)})
                if isinstance(generator.decoder.weights[name], np.ndarray):
                    del generator.decoder.weights[name]
            signatures = build_signatures(generator.with_decoder(decoder))
            builder = _v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(
                session, [tf.saved_model.SERVING], signatures, strip_default_attrs=True
            )
            builder.save()
            # TensorFlow Serving ignores files of assets.extra that it does not know.
            (folder / CARD_PATH).parent.mkdir()
            write_requests(folder, signatures, session)
    except tf.errors.OpError as error:
        # TensorFlow's file errors are not OSErrors, which callers expect. Their messages begin
        # with the name of a graph node and end with lines about TensorFlow's insides.
        reason = error.message.rpartition("}} ")[2].partition("\n")[0]
        raise OSError(f"The model cannot be written: {reason}") from error
    tokenizer.save(folder / TOKENIZER_PATH)
    if chat_template is not None:
        (folder / CHAT_TEMPLATE_PATH).write_text(chat_template, encoding="utf-8")
    text = json.dumps(card.to_dict(), ensure_ascii=False, indent=2) + "\n"
    (folder / CARD_PATH).write_text(text, encoding="utf-8")
