"""The responses of TensorFlow Serving's REST API, as JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from textgen.runtime.signatures import Signature, TensorSpec

# TensorFlow's names of the types, by numpy's.
TYPES = {
    "object": "DT_STRING",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "bool": "DT_BOOL",
}


def write_response(outputs: dict[str, np.ndarray], is_row_format: bool) -> bytes:
    """Return the body of the response.

    Args:
        outputs: Arrays by name, the batch first.
        is_row_format: Whether the request had `instances`.
    """
    # TensorFlow Serving writes NaN and infinities as Python does.
    columns = {name: _to_json(name, value.tolist()) for name, value in sorted(outputs.items())}
    if not is_row_format:
        answer = {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
    elif len(columns) > 1:
        rows = zip(*columns.values(), strict=True)
        answer = {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}
    else:
        answer = {"predictions": next(iter(columns.values()))}
    return json.dumps(answer, ensure_ascii=False).encode("utf-8")


def metadata(name: str, version: int | None, signatures: dict[str, Signature]) -> dict[str, Any]:
    """Return what `GET .../metadata` answers."""
    described = {
        key: {
            "inputs": {k: _describe(spec) for k, spec in signature.inputs.items()},
            "outputs": {k: _describe(spec) for k, spec in signature.outputs.items()},
            "method_name": signature.method_name,
        }
        for key, signature in signatures.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version or 0)},
        "metadata": {"signature_def": {"signature_def": described}},
    }


def status(version: int | None) -> list[dict[str, Any]]:
    """Return `model_version_status` of a model that is served."""
    return [
        {
            "version": str(version or 0),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]


def _to_json(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(name, part) for part in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode("ascii")}
        return value.decode("utf-8", errors="replace")
    return value


def _describe(spec: TensorSpec) -> dict[str, Any]:
    shape = spec.shape
    dims = (
        [] if shape is None else [{"size": str(-1 if n is None else n), "name": ""} for n in shape]
    )
    return {
        "dtype": TYPES.get(spec.dtype.name, "DT_INVALID"),
        "tensor_shape": {"dim": dims, "unknown_rank": shape is None},
        "name": spec.name,
    }
