"""The graph of an exported model, and its signatures: cuts through that one graph.

    prompts, controls --> prefill --> state --> decode --> text, state

`prefill` ends at the first state, `decode` begins there and ends at the second, `generate`
covers both, and `serving_default` leaves the controls out. `beam_search` takes another way from
the state to the text; `contrastive_search`, `score` and `score_tokens` process their inputs
themselves.

Inputs with a default are PlaceholderWithDefault ops, and so is the state, whose default is the
result of the prefill. The graph is built flat, without `tf.function`: TensorFlow would optimize
every function again when a session first runs it, which took ten times as long as generating
two hundred tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from textgen.generation import (
    NOVEL_INPUTS,
    SEARCH_INPUTS,
    TEMPLATE_INPUTS,
    BeamSearchOutput,
    ContrastiveSearchOutput,
    GenerationOutput,
    GenerationState,
    Generator,
    Request,
    beam_search_inputs,
    contrastive_search_inputs,
    default_inputs,
)

_v1 = tf.compat.v1

Tensors = dict[str, tf.Tensor]
# The threads per operation of programs that do not say how many they have.
_NUM_THREADS = 8


def build_signatures(generator: Generator) -> Iterator[tuple[str, SignatureDef]]:
    """Build the graph of `generator` in the default graph.

    Args:
        generator: A generator whose decoder has its variables in the default graph.

    Yields:
        The names and signatures: `prefill` first, when the graph has nothing else yet.
    """
    # Weights are read once, so that all signatures share the same tensors.
    generator = generator.with_decoder(generator.decoder.snapshot())
    prompts = _v1.placeholder(tf.string, [None], "prompts")
    novel = NOVEL_INPUTS if generator.knows_corpus else {}
    given, defaults = _inputs({**default_inputs(), **novel})
    # Only a vocabulary that others have numbered has texts for its special tokens.
    template, template_defaults = _inputs(TEMPLATE_INPUTS if generator.parses_special else {})
    beams, beams_defaults = _inputs(beam_search_inputs())
    contrast, contrast_defaults = _inputs(contrastive_search_inputs())
    texts = _v1.placeholder(tf.string, [None], "texts")
    token_ids = _v1.placeholder(tf.int32, [None, None], "token_ids")
    asked = generator.request(_ranked(prompts), tf.nest.map_structure(_ranked, given))
    parse = tf.nest.map_structure(_ranked, template)
    start = (asked, generator.prefill(_ranked(prompts), asked, **parse))
    state_tensors = {name: _overridable(name, tensor) for name, tensor in _named(start).items()}
    request, state = tf.nest.pack_sequence_as(start, list(state_tensors.values()))
    # Servers that batch states need a row of everything for every text.
    automata = tf.broadcast_to(state_tensors["state_automaton"], tf.shape(prompts))
    first = {**state_tensors, "state_automaton": automata}
    given, defaults = {**given, **template}, {**defaults, **template_defaults}
    yield "prefill", _signature("prefill", {"prompts": prompts, **given}, first, defaults)
    num_tokens = _overridable("num_tokens", request.max_new_tokens)
    # No signature has it: what loads the model on a known number of threads feeds it.
    num_threads = _overridable("num_threads", tf.constant(_NUM_THREADS))
    generated, end = generator.decode(state, request, num_tokens, num_threads)
    outputs = _outputs(generated)
    shared = {name: given[name] for name in SEARCH_INPUTS}
    found = generator.beam_search(start[1], asked, **tf.nest.map_structure(_ranked, beams))
    contrasted = generator.contrastive_search(
        _ranked(prompts), asked, **tf.nest.map_structure(_ranked, contrast), **parse
    )
    scored = generator.score(_ranked(texts), **parse)
    shared = {**shared, **template}
    scored_tokens = generator.score_tokens(_ranked(token_ids))
    yield from {
        "serving_default": _signature("serving_default", {"prompts": prompts}, outputs),
        "generate": _signature("generate", {"prompts": prompts, **given}, outputs, defaults),
        "decode": _signature(
            "decode",
            {"num_tokens": num_tokens, **state_tensors},
            {**outputs, **_named((request, end))},
        ),
        "beam_search": _signature(
            "beam_search",
            {"prompts": prompts, **shared, **beams},
            _outputs(found),
            {**defaults, **beams_defaults},
        ),
        "contrastive_search": _signature(
            "contrastive_search",
            {"prompts": prompts, **shared, **contrast},
            _outputs(contrasted),
            {**defaults, **contrast_defaults},
        ),
        "score": _signature(
            "score", {"texts": texts, **template}, scored._asdict(), template_defaults
        ),
        "score_tokens": _signature(
            "score_tokens", {"token_ids": token_ids}, scored_tokens._asdict()
        ),
    }.items()


def _inputs(values: Mapping[str, np.ndarray]) -> tuple[Tensors, Tensors]:
    """Return inputs, and the constants that are their values if nothing is fed."""
    defaults = {name: tf.constant(value) for name, value in values.items()}
    return {name: _overridable(name, value) for name, value in defaults.items()}, defaults


def _overridable(name: str, value: tf.Tensor) -> tf.Tensor:
    """Return an input that has the value `value` if nothing is fed."""
    return _v1.placeholder_with_default(value, [None] * value.shape.rank, name)


def _ranked(value: tf.Tensor) -> tf.Tensor:
    """Reject values of another rank, which a session feeds unchecked."""
    return tf.ensure_shape(value, value.shape)


def _named(start: tuple[Request, GenerationState]) -> Tensors:
    """Name the tensors of the state that callers carry, in the order of `tf.nest`."""
    named: Tensors = {}
    for record in start:
        for name, value in record._asdict().items():
            if name == "controls":
                named.update(value._asdict())
            elif name == "state":
                named.update((f"cache_{index}", cache) for index, cache in enumerate(value))
            elif not isinstance(value, tuple):  # an empty one stands for what a model lacks
                named[name] = value
    return {f"state_{name}": tensor for name, tensor in named.items()}


def _outputs(generated: GenerationOutput | BeamSearchOutput | ContrastiveSearchOutput) -> Tensors:
    # A text may end inside a character, and JSON takes only valid UTF-8.
    text = tf.strings.unicode_transcode(generated.text_bytes, "UTF-8", "UTF-8", errors="replace")
    return {"text": text, **generated._asdict()}


def _signature(
    name: str,
    inputs: Mapping[str, tf.Tensor],
    outputs: Mapping[str, tf.Tensor],
    defaults: Mapping[str, tf.Tensor] | None = None,
) -> SignatureDef:
    return SignatureDef(
        inputs={key: _info(tensor) for key, tensor in inputs.items()},
        # Clients that run the graph without reading signatures, from C say, use these names.
        outputs={
            key: _info(tf.identity(tensor, f"{name}/{key}")) for key, tensor in outputs.items()
        },
        defaults={
            key: tf.make_tensor_proto(tf.get_static_value(tensor))
            for key, tensor in (defaults or {}).items()
            if key in inputs
        },
        method_name=_v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )


def _info(tensor: tf.Tensor) -> TensorInfo:
    return TensorInfo(
        name=tensor.name,
        dtype=tensor.dtype.as_datatype_enum,
        tensor_shape=tensor.shape.as_proto(),
    )
