"""TensorFlow Serving's REST API: the same JSON, statuses and messages.

References:
    https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.runtime import SavedModel
from textgen.runtime.binding import bind_inputs
from textgen.runtime.signatures import Signature, TensorSpec
from textgen.serving.http import predict_blocks
from textgen.serving.http.errors import PredictError
from textgen.serving.http.limits import Limits
from textgen.serving.http.predict_answers import TYPES, write_response

_DEFAULT_SIGNATURE = "serving_default"
# What may take long, and is generated block by block.
_GENERATING = ("generate", _DEFAULT_SIGNATURE)
# TensorFlow's names in messages about values.
_SHORT_TYPES = {name: kind.removeprefix("DT_").lower() for name, kind in TYPES.items()}


def predict(
    model: SavedModel, content: bytes, limits: Limits, is_cancelled: Callable[[], bool]
) -> bytes:
    """Answer a `:predict` request.

    Args:
        model: The model.
        content: The request's body.
        limits: How much it may ask for.
        is_cancelled: Whether the client is gone; asked between blocks of tokens.

    Returns:
        The response's body.

    Raises:
        PredictError: If the request is wrong, in TensorFlow Serving's words.
        ClientDisconnect: If it was cancelled.
    """
    signature, inputs, is_row_format = read_request(content, model.signatures)
    _check(inputs, limits)
    try:
        if signature.name in _GENERATING:
            bind_inputs(signature, inputs)
            outputs = predict_blocks.generate(model, inputs, is_cancelled)
        else:
            outputs = model.run(signature.name, **inputs)
    except GenerationError as error:
        raise PredictError(400, str(error)) from None
    return write_response(outputs, is_row_format)


def read_request(
    content: bytes, signatures: dict[str, Signature]
) -> tuple[Signature, dict[str, np.ndarray], bool]:
    """Return the signature, its inputs, and whether they came in rows.

    Args:
        content: The request's body.
        signatures: Those of the model, by name.

    Raises:
        PredictError: If the request is wrong.
    """
    request = _parse(content)
    name = request.get("signature_name", _DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise _malformed(
            request, "not formatted correctly. 'signature_name' key must be a string value."
        )
    if name not in signatures:
        raise PredictError(400, f'Serving signature name: "{name}" not found in signature def')
    specs = signatures[name].inputs
    if "instances" in request and "inputs" in request:
        raise _malformed(
            request,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )
    if "instances" in request:
        return signatures[name], _read_rows(request, specs), True
    if "inputs" in request:
        return signatures[name], _read_columns(request["inputs"], specs), False
    raise PredictError(400, "Missing 'inputs' or 'instances' key")


def _parse(content: bytes) -> dict[str, Any]:
    if not content:
        raise PredictError(400, "JSON Parse error: The document is empty")
    try:
        request = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise PredictError(
            400, f"JSON Parse error: Invalid encoding in string. at offset: {error.start}"
        ) from None
    except (ValueError, RecursionError) as error:
        offset = getattr(error, "pos", 0)
        raise PredictError(400, f"JSON Parse error: Invalid value. at offset: {offset}") from None
    if not isinstance(request, dict):
        raise _malformed(request, "Is not object")
    return request


def _read_rows(request: dict[str, Any], specs: dict[str, TensorSpec]) -> dict[str, np.ndarray]:
    rows = request["instances"]
    if not isinstance(rows, list):
        raise _malformed(request, "Excepting 'instances' to be an list/array")
    if not rows:
        raise _malformed(request, "No values in 'instances' array")
    if not isinstance(rows[0], dict) and len(specs) > 1:
        raise PredictError(
            400,
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map",
        )
    if not _is_object(rows[0]):
        for index, row in enumerate(rows):
            if _is_object(row):
                raise PredictError(
                    400, f"Expecting value/list but got object at item {index} of input list"
                )
        name = next(iter(specs))
        return {name: _tensor(rows, specs[name])}
    for index, row in enumerate(rows):
        if not _is_object(row):
            raise PredictError(400, f"Expecting object but got list at item {index} of input list")
        if set(row) != set(specs):
            raise PredictError(
                400,
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{_show(row)} keys must be equal to: {','.join(sorted(specs))}",
            )
    return {name: _tensor([row[name] for row in rows], spec) for name, spec in specs.items()}


def _read_columns(value: Any, specs: dict[str, TensorSpec]) -> dict[str, np.ndarray]:
    if not _is_object(value):
        if len(specs) > 1:
            raise PredictError(
                400,
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map",
            )
        name = next(iter(specs))
        return {name: _tensor(value, specs[name])}
    for name in specs:
        if name not in value:
            raise PredictError(400, f"Missing named input: {name} in 'inputs' object.")
    return {name: _tensor(value[name], spec) for name, spec in specs.items()}


def _is_object(value: Any) -> bool:
    """Whether a value is an object that does not stand for bytes."""
    return isinstance(value, dict) and set(value) != {"b64"}


def _tensor(value: Any, spec: TensorSpec) -> np.ndarray:
    """Return a JSON value as an array; nested lists must be of equal length."""
    shape = _shape(value)
    elements: list[Any] = []
    _flatten(value, shape, 0, spec.dtype, elements)
    array = np.empty(len(elements), spec.dtype)
    try:
        array[:] = elements
    except OverflowError:
        raise PredictError(400, _type_error(max(elements, key=abs), spec.dtype)) from None
    return array.reshape(shape)


def _shape(value: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(
    value: Any, shape: tuple[int, ...], level: int, dtype: np.dtype, elements: list[Any]
) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise PredictError(
                400,
                f"JSON Value: {_show(value)} found at incorrect level: {level + 1}"
                f" in the JSON DOM. Expected at level: {len(shape)}",
            )
        elements.append(_element(value, dtype))
        return
    if level >= len(shape):
        raise PredictError(
            400, f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise PredictError(
            400,
            f"Encountered list at unexpected size: {len(value)} at level: {level}"
            f" expected size: {shape[level]}",
        )
    for part in value:
        _flatten(part, shape, level + 1, dtype, elements)


def _element(value: Any, dtype: np.dtype) -> Any:
    if isinstance(value, dict) and dtype.kind == "O":
        if set(value) != {"b64"} or not isinstance(value["b64"], str):
            raise _malformed(value, "not formatted correctly for base64 data")
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError):
            raise PredictError(400, "Unable to base64 decode") from None
    if isinstance(value, str) and dtype.kind == "O":
        return value.encode("utf-8", errors="replace")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype.kind == "f" and is_number and abs(value) <= float(np.finfo(dtype).max):
        return float(value)
    if dtype.kind == "i" and is_number and isinstance(value, int):
        limits = np.iinfo(dtype)
        if limits.min <= value <= limits.max:
            return value
    raise PredictError(400, _type_error(value, dtype))


def _type_error(value: Any, dtype: np.dtype) -> str:
    kinds = {dict: "Object", list: "Array", str: "String", bool: "True" if value else "False"}
    kind = "Null" if value is None else kinds.get(type(value), "Number")
    expected = _SHORT_TYPES[dtype.name]
    return f"JSON Value: {_show(value)} Type: {kind} is not of expected type: {expected}"


def _check(inputs: dict[str, np.ndarray], limits: Limits) -> None:
    """Refuse requests that would keep the server busy for too long."""
    for name, value in inputs.items():
        if name in ("prompts", "texts"):
            if value.ndim and len(value) > limits.max_texts:
                raise PredictError(400, f"{name} must hold at most {limits.max_texts} texts")
            if any(len(text) > 4 * limits.max_prompt_characters for text in value.ravel()):
                raise PredictError(400, f"A text in {name} is too long for this server")
        is_length = name in ("max_new_tokens", "num_tokens") and value.size
        if is_length and value.max() > limits.max_tokens:
            raise PredictError(400, f"{name} must be at most {limits.max_tokens}")


def _malformed(value: Any, message: str) -> PredictError:
    return PredictError(400, f"JSON Value: {_show(value)} {message}")


def _show(value: Any) -> str:
    """Return a value as JSON, cut short: an error does not repeat a whole request."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 200 else text[:200] + "..."
