"""The graph of an exported model, and its signatures: cuts through that one graph.

    prompts, controls --> read the prompts --> state --> write --> text, state
    `prefill` ends at the first state, `decode` begins there and ends at the second,
    `generate` goes all the way, and `serving_default` leaves the controls out.

Inputs with a default are PlaceholderWithDefault ops, and so is the state, whose default
is what reading the prompts gives. The graph is built flat, without `tf.function`:
TensorFlow would optimize every function anew when a session first runs it, which took
ten times as long as writing two hundred tokens does.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from textgen.generation import Generator, Request, Writing, Written, default_inputs

_v1 = tf.compat.v1

Tensors = dict[str, tf.Tensor]


def build_signatures(generator: Generator) -> dict[str, SignatureDef]:
    """Build the graph of `generator` in the default graph.

    Args:
        generator: whose decoder's variables are in the default graph.

    Returns:
        The signatures by name.
    """
    prompts = _v1.placeholder(tf.string, [None], "prompts")
    defaults = {name: tf.constant(value) for name, value in default_inputs().items()}
    given = {name: _overridable(name, value) for name, value in defaults.items()}
    ranked = {name: _ranked(tensor) for name, tensor in given.items()}
    start = (
        generator.request(_ranked(prompts), ranked),
        generator.prefill(_ranked(prompts)),
    )
    read = {name: _overridable(name, tensor) for name, tensor in _named(start).items()}
    request, writing = tf.nest.pack_sequence_as(start, list(read.values()))
    num_tokens = _overridable("num_tokens", request.max_new_tokens)
    written, end = generator.write(writing, request, num_tokens)
    outputs = _outputs(written)
    texts = _v1.placeholder(tf.string, [None], "texts")
    return {
        "serving_default": _signature("serving_default", {"prompts": prompts}, outputs),
        "generate": _signature("generate", {"prompts": prompts, **given}, outputs, defaults),
        "prefill": _signature("prefill", {"prompts": prompts, **given}, read, defaults),
        "decode": _signature(
            "decode", {"num_tokens": num_tokens, **read}, {**outputs, **_named((request, end))}
        ),
        "score": _signature("score", {"texts": texts}, generator.score(_ranked(texts))._asdict()),
    }


def _overridable(name: str, value: tf.Tensor) -> tf.Tensor:
    """Return an input that is `value` where nothing is fed."""
    return _v1.placeholder_with_default(value, [None] * value.shape.rank, name)


def _ranked(value: tf.Tensor) -> tf.Tensor:
    """Refuse what callers feed in another rank: a session puts it in place unseen."""
    return tf.ensure_shape(value, value.shape)


def _named(start: tuple[Request, Writing]) -> Tensors:
    """Name the tensors of the state that callers carry around, in the order of `tf.nest`."""
    named: Tensors = {}
    for record in start:
        for name, value in record._asdict().items():
            if name == "controls":
                named.update(value._asdict())
            elif name == "state":
                named.update((f"cache_{index}", cache) for index, cache in enumerate(value))
            else:
                named[name] = value
    return {f"state_{name}": tensor for name, tensor in named.items()}


def _outputs(written: Written) -> Tensors:
    # A stop string may cut a text anywhere, and JSON takes valid UTF-8 only.
    text = tf.strings.unicode_transcode(written.text_bytes, "UTF-8", "UTF-8", errors="replace")
    return {"text": text, **written._asdict()}


def _signature(
    name: str,
    inputs: Mapping[str, tf.Tensor],
    outputs: Mapping[str, tf.Tensor],
    defaults: Mapping[str, tf.Tensor] | None = None,
) -> SignatureDef:
    return SignatureDef(
        inputs={key: _info(tensor) for key, tensor in inputs.items()},
        # Whoever runs the graph without reading signatures, from C say, goes by these names.
        outputs={
            key: _info(tf.identity(tensor, f"{name}/{key}")) for key, tensor in outputs.items()
        },
        defaults={
            key: tf.make_tensor_proto(tf.get_static_value(tensor))
            for key, tensor in (defaults or {}).items()
        },
        method_name=_v1.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )


def _info(tensor: tf.Tensor) -> TensorInfo:
    return TensorInfo(
        name=tensor.name,
        dtype=tensor.dtype.as_datatype_enum,
        tensor_shape=tensor.shape.as_proto(),
    )
