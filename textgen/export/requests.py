"""Sample requests in a SavedModel: warmup requests for a server, and a first request for people.

The first run of a signature makes TensorFlow prune and optimize the graph for it. TensorFlow
Serving replays `assets.extra/tf_serving_warmup_requests` when it loads a version, so that no
caller waits for that; a record that fails would fail the load. The file is a TFRecord of
PredictionLog messages (tensorflow_serving/apis/prediction_log.proto). The few fields that are
needed are assembled here from TensorFlow's own messages, so that tensorflow-serving-api need
not be installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from textgen.catalog import REQUEST_PATH, WARMUP_PATH
from textgen.config import SamplingConfig
from textgen.config.controls import controls_of

_PROMPT = "Once upon a time"
# Number of tokens that a warmup request generates, if its signature has an input for it.
_NUM_TOKENS = 4
# A second request for signatures that have controls: most are off by default, and so would be
# the parts of the graph that they turn on.
_CONTROLS: dict[str, Any] = {
    name: values
    for control in controls_of(SamplingConfig)
    if control.warmup is not None
    for name, (_, values) in control.inputs(control.warmup).items()
}


def write_requests(
    folder: Path, signatures: Mapping[str, SignatureDef], state: Mapping[str, np.ndarray]
) -> None:
    """Write the warmup requests and a sample REST request into `assets.extra`.

    Args:
        folder: The folder of the SavedModel.
        signatures: The signatures of the SavedModel.
        state: What `decode` begins with, from `sample_state`.

    Raises:
        tf.errors.OpError: If a file cannot be written.
    """
    with tf.io.TFRecordWriter(str(folder / WARMUP_PATH)) as file:
        for name, inputs in _warmup(signatures, state):
            file.write(_prediction_log(name, inputs))
    request = json.dumps(_rest_request(signatures["generate"]), ensure_ascii=False, indent=2)
    (folder / REQUEST_PATH).write_text(request + "\n", encoding="utf-8")


def _warmup(signatures, state):
    """Yield signature names and all of their inputs, one row each.

    This includes the defaults, because not every version of the server fills them in.
    """
    short = {"max_new_tokens": [_NUM_TOKENS], "num_tokens": [_NUM_TOKENS]}
    texts = {"prompts": [_PROMPT], "texts": [_PROMPT], "token_ids": [[0, 1]]}
    for name, signature in signatures.items():
        given = {**texts, **short, **state}
        yield name, _inputs(signature, given)
        if "temperature" in signature.defaults:
            yield name, _inputs(signature, {**given, **_CONTROLS})


def sample_state(prefill: SignatureDef, session: tf.compat.v1.Session) -> dict[str, np.ndarray]:
    """Return the state after a prompt, by the names of its inputs to `decode`.

    Args:
        prefill: The signature that computes it.
        session: A session with its graph and weights.
    """
    fetched = {name: info.name for name, info in prefill.outputs.items()}
    state = session.run(fetched, {prefill.inputs["prompts"].name: [_PROMPT]})
    # The values of a cache do not matter here, and zeros take no space in the file.
    return {k: np.zeros_like(v) if "cache" in k else v for k, v in state.items()}


def _inputs(signature: SignatureDef, given: Mapping[str, Any]) -> dict[str, TensorProto]:
    return {
        name: _tensor(given[name], info.dtype) if name in given else signature.defaults[name]
        for name, info in signature.inputs.items()
    }


def _tensor(value: Any, dtype: int) -> TensorProto:
    array = np.asarray(value)
    if array.dtype.kind == "f" and not array.any():
        # A tensor without values is zero.
        shape = tf.TensorShape(array.shape).as_proto()
        return TensorProto(dtype=dtype, tensor_shape=shape)
    return tf.make_tensor_proto(value, dtype)


def _prediction_log(signature: str, inputs: Mapping[str, TensorProto]) -> bytes:
    """Serialize PredictionLog{predict_log: {request: {model_spec, inputs}}}."""
    model_spec = _field(3, signature.encode())
    request = _field(1, model_spec)
    for name, tensor in inputs.items():
        # An entry of a map is a message with the key in field 1 and the value in field 2.
        request += _field(2, _field(1, name.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """Return a field of bytes in protobuf's wire format: key, length, content."""
    key = bytes([number << 3 | 2])
    length = len(content)
    varint = bytearray()
    while length >= 0x80:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return key + bytes([*varint, length]) + content


def _rest_request(generate: SignatureDef) -> dict[str, Any]:
    """Return a REST request to `generate`, which must have every input."""
    values = {name: tf.make_ndarray(tensor)[0] for name, tensor in generate.defaults.items()}
    inputs = {name: _json(values[name]) for name in sorted(values)}
    return {"signature_name": "generate", "instances": [{"prompts": _PROMPT, **inputs}]}


def _json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_json(element) for element in value]
    if isinstance(value, bytes):
        return value.decode()
    if value.dtype.kind == "b":
        return bool(value)
    # The shortest decimal of the same float32: 0.8, not 0.800000012.
    return float(str(value)) if value.dtype.kind == "f" else int(value)
