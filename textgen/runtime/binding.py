"""Convert a caller's values to the arrays that a signature takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from textgen.errors import GenerationError
from textgen.runtime import dtypes
from textgen.runtime.signatures import Shape, Signature, TensorSpec
from textgen.runtime.tensors import Tensor


def bind_inputs(signature: Signature, arguments: dict[str, Any]) -> dict[str, np.ndarray | Tensor]:
    """Match a call's arguments with a signature's inputs.

    Args:
        signature: The signature to call.
        arguments: Values by input name: tensors, arrays, or whatever NumPy converts to arrays.

    Returns:
        One array or tensor for every input, defaults included.

    Raises:
        GenerationError: If an input is unknown or missing, or has the wrong dtype or shape.
    """
    for name in arguments:
        if name not in signature.inputs:
            known = ", ".join(signature.inputs) or "none"
            raise GenerationError(
                f"The inputs of {signature.name} must be among: {known}. Received: {name}"
            )
    bound: dict[str, np.ndarray | Tensor] = {}
    for name, spec in signature.inputs.items():
        label = f"{signature.name}.{name}"
        if name in arguments:
            bound[name] = _convert(label, arguments[name], spec)
        elif name in signature.defaults:
            bound[name] = signature.defaults[name]
        else:
            raise GenerationError(f"{label} must be given: it has no default")
    return bound


def _convert(label: str, value: Any, spec: TensorSpec) -> np.ndarray | Tensor:
    if isinstance(value, Tensor):
        if value.dtype != spec.dtype:
            raise _dtype_error(label, spec.dtype, dtypes.name(value.dtype))
        converted: np.ndarray | Tensor = value
    elif spec.dtype == dtypes.OPAQUE:
        raise GenerationError(
            f"{label} must be a tensor that a model returned. Received: {type(value).__name__}"
        )
    elif spec.dtype == dtypes.STRING:
        converted = _as_strings(label, value)
    else:
        converted = _as_numbers(label, value, spec.dtype)
    if not spec.accepts_shape(converted.shape):
        raise GenerationError(
            f"{label} must have shape {_format_shape(spec.shape)}."
            f" Received: shape {_format_shape(converted.shape)}"
        )
    return converted


def _as_strings(label: str, value: Any) -> np.ndarray:
    # With dtype=object, NumPy does not strip trailing zero bytes.
    array = np.array(value, dtype=object)
    encoded = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        element = array[index]
        if isinstance(element, str):
            try:
                encoded[index] = element.encode("utf-8")
            except UnicodeEncodeError as error:
                raise GenerationError(
                    f"{label} must be text that UTF-8 can encode. Received: {element!r}"
                ) from error
        elif isinstance(element, bytes):
            encoded[index] = element
        elif isinstance(element, list | tuple):
            raise GenerationError(f"{label} must have rows of equal length. Received: {value!r}")
        else:
            raise _dtype_error(label, array.dtype, type(element).__name__)
    return encoded


def _as_numbers(label: str, value: Any, dtype: np.dtype) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise GenerationError(
            f"{label} must be an array of {dtypes.name(dtype)}. Received: {value!r}"
        ) from error
    if array.dtype == dtype:
        return array
    numeric = array.dtype.kind in "biufc"
    if array.dtype.kind in "iu" and dtype.kind in "iu":
        # Compare values: to NumPy, Python's integers are int64, and they may fit an int32 input.
        limits = np.iinfo(dtype)
        if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
            raise GenerationError(
                f"{label} must lie between {limits.min} and {limits.max}."
                f" Received: {array.min()} to {array.max()}"
            )
    elif not numeric or (array.size and not np.can_cast(array.dtype, dtype, "same_kind")):
        # NumPy makes a float64 array of an empty list, which is an empty batch here.
        received = "string" if array.dtype.kind in "US" else array.dtype.name
        raise _dtype_error(label, dtype, received)
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if dtype.kind in "fc" and not np.array_equal(np.isfinite(array), np.isfinite(converted)):
        raise GenerationError(
            f"{label} must fit into {dtypes.name(dtype)}. Received: a number that is too large"
        )
    return converted


def _dtype_error(label: str, wanted: np.dtype, received: str) -> GenerationError:
    return GenerationError(f"{label} must be {dtypes.name(wanted)}. Received: {received}")


def _format_shape(shape: Shape) -> str:
    if shape is None:
        return "(...)"
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
