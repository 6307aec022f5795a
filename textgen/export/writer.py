"""Write the SavedModel: graph, weights, model card, tokenizer file, sample requests."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from textgen.card import ModelCard
from textgen.catalog import CARD_PATH, CHAT_TEMPLATE_PATH, TOKENIZER_PATH
from textgen.export.merging import merge_equal
from textgen.export.requests import sample_state, write_requests
from textgen.export.signatures import build_signatures
from textgen.generation import Generator
from textgen.memory import return_memory
from textgen.models.base import Decoder
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
    weights: Iterable[tuple[str, np.ndarray]] | None = None,
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
        weights: Names and values of the decoder's weights, if it has none. Each is taken when
            the one before is no longer needed.

    Raises:
        OSError: If the folder cannot be written.
    """
    if weights is None:
        weights = _take_weights(generator.decoder)
    signatures: dict[str, SignatureDef] = {}
    try:
        graph = tf.Graph()
        with contextlib.closing(_v1.Session(graph=graph, config=_UNOPTIMIZED)) as session:
            decoder = _with_variables(generator.decoder, weights, session)
            with graph.as_default():
                saver = _v1.train.Saver(sharded=True, allow_empty=True)
                variables = folder / "variables"
                variables.mkdir(parents=True)
                # The largest file comes first, so that a full disk is noticed before the slow work.
                saver.save(
                    session, str(variables / "variables"), write_meta_graph=False, write_state=False
                )
                built = iter(build_signatures(generator.with_decoder(decoder)))
                signatures.update([next(built)])
                state = sample_state(signatures["prefill"], session)
        # A session has the weights, and would copy all of the graph before it runs.
        del session
        return_memory()
        with graph.as_default():
            signatures.update(built)
            _write_graph(folder, saver, signatures)
        # TensorFlow Serving ignores files of assets.extra that it does not know.
        (folder / CARD_PATH).parent.mkdir()
        write_requests(folder, signatures, state)
    except tf.errors.OpError as error:
        # TensorFlow's file errors are not OSErrors, which callers expect. Their messages begin
        # with the name of a graph node and end with lines about TensorFlow's insides.
        reason = error.message.rpartition("}} ")[2].partition("\n")[0]
        raise OSError(f"The model cannot be written: {reason}") from error
    tokenizer.save(folder / TOKENIZER_PATH)
    if chat_template is not None:
        (folder / CHAT_TEMPLATE_PATH).write_text(chat_template, encoding="utf-8")
    write_card(folder, card)


def _take_weights(decoder: Decoder) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights of a decoder. It loses those that are arrays."""
    for name in list(decoder.weights):
        is_array = isinstance(decoder.weights[name], np.ndarray)
        value = decoder.weights.pop(name) if is_array else decoder.weights[name]
        yield name, np.asarray(value)


def _with_variables(
    decoder: Decoder, weights: Iterable[tuple[str, np.ndarray]], session: tf.compat.v1.Session
) -> Decoder:
    """Return the decoder with weights in variables of the session's graph, which have values."""
    variables = {}
    # Each is taken outside of that graph, where the variables of a trained model have values.
    for name, value in weights:
        with session.graph.as_default():
            # An initial value that is fed leaves no copy of the weight in the graph.
            fed = _v1.placeholder(tf.float32, value.shape)
            variables[name] = tf.Variable(fed, trainable=False, name=name, dtype=tf.float32)
        session.run(variables[name].initializer, {fed: value})
    return type(decoder)(decoder.config, decoder.vocab_size, variables)


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card of a SavedModel, or replace it.

    Raises:
        OSError: If it cannot be written.
    """
    text = json.dumps(card.to_dict(), ensure_ascii=False, indent=2) + "\n"
    (folder / CARD_PATH).write_text(text, encoding="utf-8")


def _write_graph(
    folder: Path, saver: tf.compat.v1.train.Saver, signatures: Mapping[str, SignatureDef]
) -> None:
    """Write the default graph with its signatures, and with the operations of its saver."""
    graph_def = _v1.get_default_graph().as_graph_def()
    # Merged first: what follows copies the graph, which is several times as large before.
    merge_equal(graph_def)
    meta_graph = _v1.train.export_meta_graph(
        graph_def=graph_def, saver_def=saver.as_saver_def(), strip_default_attrs=True
    )
    meta_graph.meta_info_def.tags.append(tf.saved_model.SERVING)
    for name, signature in signatures.items():
        meta_graph.signature_def[name].CopyFrom(signature)
    saved = SavedModel(saved_model_schema_version=1, meta_graphs=[meta_graph])
    with tf.io.gfile.GFile(str(folder / "saved_model.pb"), "wb") as file:
        file.write(saved.SerializeToString(deterministic=True))
