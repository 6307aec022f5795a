"""The checks: what TensorFlow Serving asks of a SavedModel, and what we promise beside it.

In a row with other people's requests nothing may fail, so most checks are about what a
well-meaning test never sends.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textgen.catalog import REQUEST_PATH, WARMUP_PATH, ModelEntry
from textgen.errors import GenerationError, TextgenError
from textgen.runtime import SavedModel, Signature, TensorSpec
from textgen.runtime.directory import read_directory
from textgen.runtime.library import LibraryUnavailableError, disable_xla
from textgen.serving.graph import read_graph
from textgen.serving.warmup import read_warmup

_FOREIGN = ("xla", "cudnn", "pyfunc", ">")  # the last: an operation with a library's prefix
_STRING, _INT, _FLOAT = (np.dtype(kind) for kind in (object, np.int32, np.float32))
_WRITTEN = {
    "text": (_STRING, 1),
    "text_bytes": (_STRING, 1),
    "token_ids": (_INT, 2),
    "num_tokens": (_INT, 1),
    "finish_reason": (_STRING, 1),
}
_PROMPTS = {"prompts": (_STRING, 1)}
# What each signature must take and give at least: element type and rank.
_CONTRACT: dict[str, tuple[dict, dict]] = {
    "serving_default": (_PROMPTS, _WRITTEN),
    "generate": ({**_PROMPTS, "max_new_tokens": (_INT, 1), "stop": (_STRING, 2)}, _WRITTEN),
    "prefill": (_PROMPTS, {}),
    "decode": ({"num_tokens": (_INT, 1)}, _WRITTEN),
    "score": ({"texts": (_STRING, 1)}, {"logprob": (_FLOAT, 1), "num_tokens": (_INT, 1)}),
}
# What the model card must tell beside the validation loss.
_CARD = {
    "model": ("architecture", "context_length"),
    "tokenizer": ("kind", "vocab_size"),
    "corpus": ("description", "digest"),
    "versions": ("textgen", "tensorflow", "keras"),
}
_TEXTS = ["Once upon a time", "", "é字😀", "a" * 300]
_BAD_UTF8 = [b"\xff\xfe", b"a\xe5\xad", b"\x00", b"\xed\xa0\x80"]
_NUM_TOKENS = 12

Arrays = Mapping[str, np.ndarray]


class Result(NamedTuple):
    """How one check ended.

    Attributes:
        title: what holds if it passed.
        failure: what does not hold, or `None`.
    """

    title: str
    failure: str | None


class _FlawError(Exception):
    """A check found something wrong."""


def check(path: Path) -> Iterator[Result]:
    """Run all checks in this process, in which XLA is forbidden from then on.

    Args:
        path: the folder that holds `saved_model.pb`.

    Yields:
        The result of each. The later ones need a model that loads, and are left out
        where it does not.
    """
    for title, examine in _OF_FILES.items():
        yield _result(title, examine, path)
    loaded: list[SavedModel] = []
    yield _result("TensorFlow loads it with XLA forbidden", _load, path, loaded)
    for model in loaded:
        with model:
            for title, ask in _OF_MODEL.items():
                yield _result(title, ask, model)


def _result(title: str, run: Callable[..., None], *subject: Any) -> Result:
    try:
        run(*subject)
    except (_FlawError, TextgenError, OSError, ValueError, LookupError) as error:
        return Result(title, " ".join(str(error).split()))
    return Result(title, None)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _FlawError(otherwise)


def _operations(path: Path) -> None:
    graph = read_graph(path)
    foreign = {op for op in graph.operations if any(word in op.lower() for word in _FOREIGN)}
    _expect(not foreign, f"it holds {', '.join(sorted(foreign))}")
    _expect(not graph.compiled, f"made with jit_compile: {', '.join(sorted(graph.compiled))}")


def _signatures(path: Path) -> None:
    signatures = read_directory(path).signatures
    for name, (inputs, outputs) in _CONTRACT.items():
        _expect(name in signatures, f"there is no {name}")
        for wanted, specs in (
            (inputs, signatures[name].inputs),
            (outputs, signatures[name].outputs),
        ):
            for key, (dtype, rank) in wanted.items():
                _expect(key in specs, f"{name} has no {key}")
                found = (specs[key].dtype, len(specs[key].shape or ()))
                _expect(found == (dtype, rank), f"{name}.{key} has another type or rank")
    state = signatures["prefill"].outputs
    for specs in (signatures["decode"].inputs, signatures["decode"].outputs):
        missing = set(state) - set(specs)
        _expect(not missing, f"decode lacks {', '.join(sorted(missing))}")


def _batch_first(path: Path) -> None:
    for name, signature in read_directory(path).signatures.items():
        for key, spec in (*signature.inputs.items(), *signature.outputs.items()):
            first, *_ = spec.shape or [0]
            _expect(first is None, f"{name}.{key} does not")
            _expect(_is_common(spec), f"{name}.{key} has a type that REST does not know")


def _is_common(spec: TensorSpec) -> bool:
    return spec.dtype == _STRING or (spec.dtype.kind in "iufb" and spec.dtype != np.float16)


def _defaults(path: Path) -> None:
    for name, signature in read_directory(path).signatures.items():
        if name == "serving_default" or "prompts" not in signature.inputs:
            continue
        lacking = set(signature.inputs) - set(signature.defaults) - {"prompts"}
        _expect(not lacking, f"{name} has none for {', '.join(sorted(lacking))}")
        for key, value in signature.defaults.items():
            spec = signature.inputs[key]
            fits = value.dtype == spec.dtype and spec.accepts_shape(value.shape)
            _expect(fits and value.size > 0, f"that of {name}.{key} has another type or shape")


def _card(path: Path) -> None:
    card = ModelEntry(path.name, None, path).card
    for part, keys in _CARD.items():
        lacking = [key for key in keys if key not in card.get(part, {})]
        _expect(not lacking, f"{part} lacks {', '.join(lacking)}")


def _load(path: Path, loaded: list[SavedModel]) -> None:
    try:
        disable_xla()
    except LibraryUnavailableError as error:
        raise _FlawError(str(error)) from error
    loaded.append(SavedModel(path))


def _warmup(model: SavedModel) -> None:
    requests = read_warmup(Path(model.path, WARMUP_PATH))
    for request in requests:
        result = model.run(request.signature, **request.inputs)
        failed = b"error" in result.get("finish_reason", ())
        _expect(not failed, f"{request.signature} ends with error")
    cold = set(model.signatures) - {request.signature for request in requests}
    _expect(not cold, f"there is none for {', '.join(sorted(cold))}")


def _sample_request(model: SavedModel) -> None:
    request = json.loads(Path(model.path, REQUEST_PATH).read_text(encoding="utf-8"))
    (row,) = request["instances"]
    signature = model.signatures[request["signature_name"]]
    _expect(set(row) == set(signature.inputs), "it does not have exactly the inputs")
    model.run(signature.name, **{name: [value] for name, value in row.items()})


def _empty_batch(model: SavedModel) -> None:
    for name, signature in model.signatures.items():
        empty: dict[str, list] = {
            key: [] for key in ("prompts", "texts") if key in signature.inputs
        }
        if empty:
            result = model.run(name, **empty)
            rows = {key: value.shape[0] for key, value in result.items() if value.shape[0]}
            _expect(not rows, f"{name} gives rows for no prompt: {', '.join(rows)}")
    model.run("decode", num_tokens=[], **model.run("prefill", prompts=[]))


def _bad_utf8(model: SavedModel) -> None:
    result = _write(model, _BAD_UTF8)
    for text in result["text"]:
        text.decode("utf-8")
    model.run("score", texts=_BAD_UTF8)


def _wrong_rank(model: SavedModel) -> None:
    signature = model.signatures["generate"]
    for shape in ((), (1, 1), (2, 2)):
        try:
            model.run_tensors(_unchecked(model, signature), prompts=np.full(shape, b"a", object))
        except GenerationError:
            pass
        else:
            raise _FlawError(f"prompts of shape {shape} are answered")
        finally:
            model.signatures[signature.name] = signature
    _write(model, _TEXTS)


def _unchecked(model: SavedModel, signature: Signature) -> str:
    """Let any shape of prompts pass to TensorFlow, as a server does."""
    prompts = dataclasses.replace(signature.inputs["prompts"], shape=None)
    inputs = {**signature.inputs, "prompts": prompts}
    model.signatures[signature.name] = dataclasses.replace(signature, inputs=inputs)
    return signature.name


def _rows(model: SavedModel) -> None:
    together = _write(model, _TEXTS)
    for row, text in enumerate(_TEXTS):
        _expect_same(_write(model, [text], first_seed=row), 0, together, row, "its row")


def _merged(model: SavedModel) -> None:
    """Merge requests as a server that pads (`batching_params.pbtxt`) merges them."""
    stops = [[""], ["", "a", "e"], ["", " "], [""]]
    requests = [
        _request(model, [text], row, stop=[stop])
        for row, (text, stop) in enumerate(zip(_TEXTS, stops, strict=True))
    ]
    together = model.run("generate", **_merge(requests))
    states = [model.run("prefill", **request) for request in requests]
    decoded = model.run("decode", num_tokens=[_NUM_TOKENS] * len(states), **_merge(states))
    for row, request in enumerate(requests):
        alone = model.run("generate", **request)
        _expect_same(alone, 0, together, row, "a merged one")
        _expect_same(alone, 0, decoded, row, "a merged stream")


def _merge(requests: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    merged = {}
    for name in requests[0]:
        arrays = [request[name] for request in requests]
        size = np.max([array.shape[1:] for array in arrays], axis=0, initial=0).astype(int)
        padded = []
        for array in arrays:
            _expect(array.size > 0, f"{name} has no element to pad it with")
            whole = np.full((len(array), *size), array.flat[0], array.dtype)
            whole[tuple(slice(length) for length in array.shape)] = array
            padded.append(whole)
        merged[name] = np.concatenate(padded)
    return merged


def _streams(model: SavedModel) -> None:
    request = _request(model, _TEXTS, stop=[["", "\n\n"]] * len(_TEXTS))
    whole = model.run("generate", **request)
    state = model.run("prefill", **request)
    pieces: list[dict[str, np.ndarray]] = []
    while not pieces or not all(pieces[-1]["finish_reason"]):
        _expect(len(pieces) <= _NUM_TOKENS, "decode comes to no end")
        pieces.append(model.run("decode", num_tokens=[5], **state))
        state = {name: pieces[-1][name] for name in state}
    for row in range(len(_TEXTS)):
        text = b"".join(piece["text_bytes"][row] for piece in pieces)
        _expect(text == whole["text_bytes"][row], f"row {row} differs")
        reason = pieces[-1]["finish_reason"][row]
        _expect(reason == whole["finish_reason"][row], f"row {row} ends otherwise")


def _json(model: SavedModel) -> None:
    answers = {
        "generate": _write(model, _TEXTS, logprobs=[2]),
        "score": model.run("score", texts=_TEXTS),
    }
    for name, answer in answers.items():
        for key, value in answer.items():
            _expect(len(value) == len(_TEXTS), f"{name}.{key} does not have a row a prompt")
            if value.dtype.kind == "f":
                _expect(bool(np.isfinite(value).all()), f"{name}.{key} holds NaN or infinity")
            elif value.dtype == _STRING and not key.endswith("_bytes"):
                for text in value.flat:
                    text.decode("utf-8")


def _request(
    model: SavedModel, prompts: list[Any], first_seed: int = 0, **inputs: Any
) -> dict[str, np.ndarray]:
    """Return all inputs of `generate`, a row a prompt each."""
    rows = len(prompts)
    signature = model.signatures["generate"]
    given = {
        "prompts": prompts,
        "max_new_tokens": [_NUM_TOKENS] * rows,
        "seed": [first_seed + row for row in range(rows)],
        **inputs,
    }
    request = {}
    for name, spec in signature.inputs.items():
        value = np.array(given[name], spec.dtype) if name in given else signature.defaults[name]
        request[name] = np.broadcast_to(value, (rows, *value.shape[1:]))
    return request


def _write(model: SavedModel, prompts: list[Any], **options: Any) -> dict[str, np.ndarray]:
    result = model.run("generate", **_request(model, prompts, **options))
    reasons = {reason.decode() for reason in result["finish_reason"]}
    _expect(reasons <= {"stop", "length"}, f"generate ends with {', '.join(sorted(reasons))}")
    return result


def _expect_same(one: Arrays, i: int, other: Arrays, j: int, what: str) -> None:
    for name in ("text_bytes", "finish_reason", "num_tokens"):
        same = one[name][i] == other[name][j]
        _expect(bool(same), f"{name} of prompt {j} alone differs from {what}")


_OF_FILES = {
    "core operations alone: no XLA, cuDNN or Python": _operations,
    "the documented signatures, with their types": _signatures,
    "every input and output has the batch first": _batch_first,
    "every input but the prompts has a default": _defaults,
    "the model card is complete": _card,
}
_OF_MODEL = {
    "the warmup requests run, one a signature at least": _warmup,
    "the sample of a REST request runs": _sample_request,
    "an empty batch is answered": _empty_batch,
    "prompts that are not UTF-8 are answered": _bad_utf8,
    "prompts of a wrong rank are refused, and the model goes on": _wrong_rank,
    "a batch is its rows, one by one": _rows,
    "requests that a server merges are answered as if alone": _merged,
    "prefill and decode write what generate writes": _streams,
    "JSON can hold every answer": _json,
}
