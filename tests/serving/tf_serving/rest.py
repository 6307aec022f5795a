"""TensorFlow Serving's rules for JSON over REST, restated for tests of our signatures.

Source: tensorflow_serving/g3doc/api_rest.md and util/json_tensor.cc.
"""

import base64
import json

import numpy as np


class RestError(ValueError):
    """The server would refuse the request, or could not write the answer."""


def read_request(content, signatures):
    """Return the signature and its inputs that a request's JSON stands for.

    Args:
        content: bytes of the body.
        signatures: those of the model, by name.
    """
    request = json.loads(content.decode("utf-8"))
    signature = signatures[request.get("signature_name", "serving_default")]
    names = set(signature.inputs)
    if ("instances" in request) == ("inputs" in request):
        raise RestError("a request has either instances or inputs")
    if "inputs" in request:
        columns = request["inputs"]
        if not isinstance(columns, dict) or "b64" in columns:
            if len(names) > 1:
                raise RestError("only the input of a signature with a single one needs no name")
            columns = {next(iter(names)): columns}
        # Here the server never fills a default in, nor there.
        if names - set(columns):
            raise RestError(f"missing: {sorted(names - set(columns))}")
    else:
        rows = request["instances"]
        if not isinstance(rows, list) or not rows:
            raise RestError("instances are a list of at least one")
        if not isinstance(rows[0], dict) or "b64" in rows[0]:
            if len(names) > 1:
                raise RestError("only the input of a signature with a single one needs no name")
            rows = [{next(iter(names)): row} for row in rows]
        if any(set(row) != names for row in rows):
            raise RestError(f"every instance must have exactly {sorted(names)}")
        columns = {name: [row[name] for row in rows] for name in names}
    specs = signature.inputs
    return signature.name, {name: _tensor(columns[name], specs[name].dtype) for name in names}


def _tensor(value, dtype):
    def decode(element):
        if isinstance(element, list):
            return [decode(part) for part in element]
        if isinstance(element, dict):
            return base64.b64decode(element["b64"], validate=True)
        if isinstance(element, str) != (dtype.kind == "O"):
            raise RestError(f"{element!r} is no {dtype}")
        if dtype.kind == "i" and not isinstance(element, int):
            raise RestError(f"{element!r} is no whole number")
        return element

    # A list of lists of different lengths is refused by numpy as it is by the server.
    return np.array(decode(value), dtype)


def write_response(outputs, in_rows):
    """Return the JSON that the server answers with.

    Args:
        outputs: arrays by name.
        in_rows: whether the request had instances.
    """
    if in_rows:
        if len({len(value) for value in outputs.values()}) > 1:
            raise RestError("outputs differ in their first dimension")
        count = len(next(iter(outputs.values())))
        rows = [{name: _json(name, v[row]) for name, v in outputs.items()} for row in range(count)]
        answer = {"predictions": rows}
    else:
        answer = {"outputs": {name: _json(name, value) for name, value in outputs.items()}}
    # The server would write NaN and Infinity, which are no JSON.
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _json(name, value):
    if isinstance(value, np.ndarray):
        return [_json(name, part) for part in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8")
    if value.dtype.kind not in "ifb" or value.dtype == np.float16:
        raise RestError(f"{name} has the type {value.dtype}")
    return value.item()
