"""Checks of a loaded model with unusual requests.

A server merges the requests of several clients into a batch, so no request may make it fail.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from textgen.catalog import REQUEST_PATH, WARMUP_PATH
from textgen.errors import GenerationError
from textgen.files import read_json
from textgen.runtime import SavedModel, Signature
from textgen.serving.checks.result import FlawError, expect
from textgen.serving.tf_serving.warmup import read_warmup

_TEXTS = ["Once upon a time", "", "é字😀", "a" * 300]
_BAD_UTF8 = [b"\xff\xfe", b"a\xe5\xad", b"\x00", b"\xed\xa0\x80"]
_NUM_TOKENS = 12
_ATTEMPTS = 3
_WRITERS = ("generate", "beam_search", "contrastive_search")

Arrays = Mapping[str, np.ndarray]


def _warmup(model: SavedModel) -> None:
    requests = read_warmup(Path(model.path, WARMUP_PATH))
    for request in requests:
        result = model.run(request.signature, **request.inputs)
        failed = b"error" in result.get("finish_reason", ())
        expect(not failed, f"{request.signature} ends with error")
    cold = set(model.signatures) - {request.signature for request in requests}
    expect(not cold, f"there is none for {', '.join(sorted(cold))}")


def _sample_request(model: SavedModel) -> None:
    request = read_json(Path(model.path, REQUEST_PATH))
    (row,) = request["instances"]
    signature = model.signatures[request["signature_name"]]
    expect(set(row) == set(signature.inputs), "it does not have exactly the inputs")
    model.run(signature.name, **{name: [value] for name, value in row.items()})


def _empty_batch(model: SavedModel) -> None:
    for name, signature in model.signatures.items():
        empty: dict[str, list] = {
            key: [] for key in ("prompts", "texts") if key in signature.inputs
        }
        if empty:
            result = model.run(name, **empty)
            rows = {key: value.shape[0] for key, value in result.items() if value.shape[0]}
            expect(not rows, f"{name} returns rows for no prompt: {', '.join(rows)}")
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
            raise FlawError(f"prompts of shape {shape} are answered")
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
    for name in _WRITERS:
        _expect_agreement(functools.partial(_differing_rows, model, name))


def _differing_rows(model: SavedModel, name: str, texts: list[str], seed: int) -> Iterator[str]:
    together = _write(model, texts, name, first_seed=seed)
    for row, text in enumerate(texts):
        alone = _write(model, [text], name, first_seed=seed + row)
        yield from _differences(alone, together, row, f"its row of {name}")


def _merged(model: SavedModel) -> None:
    """Merge requests as a server that pads (`batching_params.pbtxt`) merges them."""
    for name in _WRITERS:
        _expect_agreement(functools.partial(_differing_merged, model, name))


def _differing_merged(model: SavedModel, name: str, texts: list[str], seed: int) -> Iterator[str]:
    stops = [[""], ["", "a", "e"], ["", " "], [""]]
    requests = [
        _request(model, [text], name, seed + row, stop=[stop])
        for row, (text, stop) in enumerate(zip(texts, stops, strict=True))
    ]
    merged = {"one": model.run(name, **_merge(requests))}
    if name == "generate":
        states = [model.run("prefill", **request) for request in requests]
        merged["stream"] = model.run(
            "decode", num_tokens=[_NUM_TOKENS] * len(states), **_merge(states)
        )
    for row, request in enumerate(requests):
        alone = model.run(name, **request)
        for what, together in merged.items():
            yield from _differences(alone, together, row, f"a merged {what} of {name}")


def _merge(requests: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    merged = {}
    for name in requests[0]:
        arrays = [request[name] for request in requests]
        size = np.max([array.shape[1:] for array in arrays], axis=0, initial=0).astype(int)
        padded = []
        for array in arrays:
            expect(array.size > 0, f"{name} has no element to pad it with")
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
        expect(len(pieces) <= _NUM_TOKENS, "decode does not end")
        pieces.append(model.run("decode", num_tokens=[5], **state))
        state = {name: pieces[-1][name] for name in state}
    for row in range(len(_TEXTS)):
        text = b"".join(piece["text_bytes"][row] for piece in pieces)
        expect(text == whole["text_bytes"][row], f"row {row} differs")
        reason = pieces[-1]["finish_reason"][row]
        expect(reason == whole["finish_reason"][row], f"row {row} ends for another reason")


def _json(model: SavedModel) -> None:
    answers = {
        **{name: _write(model, _TEXTS, name, logprobs=[2]) for name in _WRITERS},
        "score": model.run("score", texts=_TEXTS),
    }
    for name, answer in answers.items():
        for key, value in answer.items():
            expect(len(value) == len(_TEXTS), f"{name}.{key} does not have one row per prompt")
            if value.dtype.kind == "f":
                expect(bool(np.isfinite(value).all()), f"{name}.{key} holds NaN or infinity")
            elif value.dtype.kind == "O" and not key.endswith("_bytes"):
                for text in value.flat:
                    text.decode("utf-8")


def _request(
    model: SavedModel,
    prompts: list[Any],
    name: str = "generate",
    first_seed: int = 0,
    **inputs: Any,
) -> dict[str, np.ndarray]:
    """Return all inputs of a signature, one row per prompt; it may lack some of those given."""
    rows = len(prompts)
    signature = model.signatures[name]
    given = {
        "prompts": prompts,
        "max_new_tokens": [_NUM_TOKENS] * rows,
        "seed": [first_seed + row for row in range(rows)],
        **inputs,
    }
    request = {}
    for key, spec in signature.inputs.items():
        value = np.array(given[key], spec.dtype) if key in given else signature.defaults[key]
        request[key] = np.broadcast_to(value, (rows, *value.shape[1:]))
    return request


def _write(
    model: SavedModel, prompts: list[Any], name: str = "generate", **options: Any
) -> dict[str, np.ndarray]:
    result = model.run(name, **_request(model, prompts, name, **options))
    reasons = {reason.decode() for reason in result["finish_reason"]}
    expect(reasons <= {"stop", "length"}, f"{name} ends with {', '.join(sorted(reasons))}")
    return result


def _expect_agreement(find_differences: Callable[[list[str], int], Iterator[str]]) -> None:
    """Fail if answers differ for several texts and seeds.

    Matrix products of other shapes round differently, and now and then a draw is so close that
    rounding decides between two tokens. A flaw shows without such a draw.
    """
    for attempt in range(_ATTEMPTS):
        texts = [text and text + "b" * attempt for text in _TEXTS]
        difference = next(find_differences(texts, attempt * len(texts)), None)
        if difference is None:
            return
    raise FlawError(difference)


def _differences(alone: Arrays, together: Arrays, row: int, what: str) -> Iterator[str]:
    for name in ("text_bytes", "finish_reason", "num_tokens"):
        if alone[name][0] != together[name][row]:
            yield f"{name} of prompt {row} alone differs from {what}"


# What is true of a sound model, and the check of it.
MODEL_CHECKS = {
    "the warmup requests run, at least one per signature": _warmup,
    "the sample of a REST request runs": _sample_request,
    "an empty batch is answered": _empty_batch,
    "prompts that are not UTF-8 are answered": _bad_utf8,
    "prompts of a wrong rank are refused, and the model still works": _wrong_rank,
    "a batch returns what its rows return alone": _rows,
    "merged requests return what they return alone": _merged,
    "prefill and decode return the text of generate": _streams,
    "every output can be sent as JSON": _json,
}
