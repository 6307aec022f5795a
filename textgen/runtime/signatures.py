"""The signatures of a SavedModel: its functions, their inputs, outputs and defaults.

Read from the bytes of `saved_model.pb`. The field numbers are those of
tensorflow/core/protobuf/meta_graph.proto and tensorflow/core/framework/tensor.proto.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from textgen.runtime import dtypes
from textgen.runtime.wire import (
    WireError,
    as_message,
    as_number,
    as_signed,
    as_text,
    read_fields,
    read_varints,
)

Shape = tuple[int | None, ...] | None

# tf.saved_model.save keeps internal entries among the signatures.
_INTERNAL_PREFIX = "__saved_model_"

# A damaged shape must not allocate all memory.
_MAX_DEFAULT_SIZE = 1 << 24

# TensorProto: the field that holds values of a dtype, and the numpy type of one value on the
# wire (None for a variable-length number).
_VALUE_FIELDS: dict[str, tuple[int, str | None]] = {
    "float32": (5, "<f4"),
    "float64": (6, "<f8"),
    "complex64": (9, "<f4"),
    "complex128": (12, "<f8"),
    "float16": (13, None),
    "int8": (7, None),
    "uint8": (7, None),
    "int16": (7, None),
    "uint16": (7, None),
    "int32": (7, None),
    "int64": (10, None),
    "bool": (11, None),
    "uint32": (16, None),
    "uint64": (17, None),
}
_STRING_FIELD = 8


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: The tensor's name in the graph, such as "serving_default_prompts:0".
        dtype: numpy dtype; object for strings, void for types that numpy does not have.
        shape: A tuple with `None` for every unknown dimension, or `None` if the rank is unknown.
    """

    name: str
    dtype: np.dtype
    shape: Shape

    def accepts_shape(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of this shape fits: rank and all known dimensions agree."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            wanted is None or size == wanted for size, wanted in zip(shape, self.shape, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a SavedModel.

    Attributes:
        name: Its key, such as "serving_default".
        inputs: Its input tensors, by argument name.
        outputs: Its output tensors, by name.
        defaults: Values of inputs that a caller may omit.
        method_name: A URI, such as "tensorflow/serving/predict".
    """

    name: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]
    defaults: dict[str, np.ndarray]
    method_name: str


def parse_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """Read all signatures of a graph.

    Args:
        meta_graph: A serialized MetaGraphDef.

    Returns:
        The signatures by name, in the order of the file.

    Raises:
        WireError: If the bytes are not a MetaGraphDef, or an input or output is not a dense
            tensor.
    """
    signatures = {}
    for number, value in read_fields(meta_graph):
        if number == 5:
            name, message = _parse_entry(as_message(value))
            if not name.startswith(_INTERNAL_PREFIX):
                signatures[name] = _parse_signature(name, message)
    return signatures


def parse_tensor(message: bytes) -> np.ndarray:
    """Read a serialized TensorProto.

    Args:
        message: The bytes.

    Returns:
        The array; strings as an object array of bytes.

    Raises:
        WireError: If the bytes are not a TensorProto, or numpy does not have its dtype.
    """
    dtype, content = dtypes.OPAQUE, b""
    shape: tuple[int, ...] = ()
    values: dict[int, list[int | bytes]] = {}
    for number, value in read_fields(message):
        if number == 1:
            dtype = dtypes.to_numpy(as_number(value))
        elif number == 2:
            shape = _fixed_shape(_parse_shape(as_message(value)))
        elif number == 4:
            content = as_message(value)
        else:
            values.setdefault(number, []).append(value)
    if dtype == dtypes.OPAQUE:
        raise WireError(f"a default value has {dtypes.name(dtype)}")
    size = math.prod(shape)
    if size > _MAX_DEFAULT_SIZE:
        raise WireError(f"a default value has {size} elements")
    if dtype == dtypes.STRING:
        strings = [as_message(value) for value in values.get(_STRING_FIELD, [])]
        elements = np.empty(len(strings), object)
        elements[:] = strings
        filler: object = b""
    elif content:
        if len(content) != size * dtype.itemsize:
            raise WireError("a default value has more or fewer bytes than its shape asks for")
        return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    else:
        elements, filler = _parse_numbers(dtype, values), 0
    return _fill(elements, size, filler).reshape(shape)


def _parse_numbers(dtype: np.dtype, values: dict[int, list[int | bytes]]) -> np.ndarray:
    field, fixed = _VALUE_FIELDS[dtype.name]
    parts = values.get(field, [])
    if fixed is not None:
        data = b"".join(as_message(part) for part in parts)
        width = np.dtype(fixed).itemsize * (2 if dtype.kind == "c" else 1)
        if len(data) % width:
            raise WireError("a default value is cut off")
        return np.frombuffer(data, fixed).view(dtype).copy()
    # The writer may pack the numbers into one field or repeat the field.
    numbers: list[int] = []
    for part in parts:
        numbers.extend([part] if isinstance(part, int) else read_varints(part))
    if dtype == np.float16:
        return np.array(numbers, np.uint64).astype(np.uint16).view(np.float16)
    return np.array(numbers, np.uint64).astype(dtype)


def _fill(elements: np.ndarray, size: int, filler: object) -> np.ndarray:
    # TensorProto leaves out trailing repetitions of the last value.
    if len(elements) > size:
        raise WireError("a default value has more elements than its shape asks for")
    filled = np.empty(size, elements.dtype)
    filled[: len(elements)] = elements
    filled[len(elements) :] = elements[-1] if len(elements) else filler
    return filled


def _parse_entry(entry: bytes) -> tuple[str, bytes]:
    # A map field is a repeated message with the key in field 1 and the value in field 2.
    key, value = "", b""
    for number, part in read_fields(entry):
        if number == 1:
            key = as_text(part)
        elif number == 2:
            value = as_message(part)
    return key, value


def _parse_signature(name: str, message: bytes) -> Signature:
    signature = Signature(name, {}, {}, {}, "")
    for number, value in read_fields(message):
        if number == 3:
            signature = dataclasses.replace(signature, method_name=as_text(value))
        elif number in (1, 2):
            key, spec = _parse_entry(as_message(value))
            specs = signature.inputs if number == 1 else signature.outputs
            specs[key] = _parse_tensor_spec(f"{name}.{key}", spec)
        elif number == 4:
            key, tensor = _parse_entry(as_message(value))
            signature.defaults[key] = parse_tensor(tensor)
            signature.defaults[key].flags.writeable = False
    return signature


def _parse_tensor_spec(label: str, message: bytes) -> TensorSpec:
    name, dtype = "", dtypes.OPAQUE
    shape: Shape = ()
    for number, value in read_fields(message):
        if number == 1:
            name = as_text(value)
        elif number == 2:
            dtype = dtypes.to_numpy(as_number(value))
        elif number == 3:
            shape = _parse_shape(as_message(value))
    if not name:
        raise WireError(f"{label} is not a dense tensor")
    return TensorSpec(name, dtype, shape)


def _parse_shape(message: bytes) -> Shape:
    dimensions: list[int | None] = []
    for number, value in read_fields(message):
        if number == 3 and as_number(value):
            return None
        if number == 2:
            size = 0
            for dimension_number, dimension in read_fields(as_message(value)):
                if dimension_number == 1:
                    size = as_signed(as_number(dimension))
            dimensions.append(None if size < 0 else size)
    return tuple(dimensions)


def _fixed_shape(shape: Shape) -> tuple[int, ...]:
    if shape is None or None in shape:
        raise WireError("a default value has no fixed shape")
    return tuple(size for size in shape if size is not None)
