"""Checks of a SavedModel's files, which need no TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from textgen.catalog import TOKENIZER_PATH, ModelEntry
from textgen.runtime import Signature, TensorSpec
from textgen.runtime.directory import read_directory
from textgen.serving.checks.result import expect
from textgen.tokenizer import load_tokenizer

_STRING, _INT, _FLOAT = (np.dtype(kind) for kind in (object, np.int32, np.float32))
_WRITTEN = {
    "text": (_STRING, 1),
    "text_bytes": (_STRING, 1),
    "token_ids": (_INT, 2),
    "num_tokens": (_INT, 1),
    "finish_reason": (_STRING, 1),
}
_SEARCHED = {**_WRITTEN, "logprob": (_FLOAT, 1)}
_PROMPTS = {"prompts": (_STRING, 1)}
_SHARED = {**_PROMPTS, "max_new_tokens": (_INT, 1), "stop": (_STRING, 2)}
# What each signature must take and give at least: element type and rank.
_CONTRACT: dict[str, tuple[dict, dict]] = {
    "serving_default": (_PROMPTS, _WRITTEN),
    "generate": (_SHARED, _WRITTEN),
    "prefill": (_PROMPTS, {}),
    "beam_search": (
        {**_SHARED, "num_beams": (_INT, 1), "length_penalty": (_FLOAT, 1)},
        {**_SEARCHED, "score": (_FLOAT, 1)},
    ),
    "contrastive_search": (
        {**_SHARED, "penalty_alpha": (_FLOAT, 1), "top_k": (_INT, 1)},
        _SEARCHED,
    ),
    "decode": ({"num_tokens": (_INT, 1)}, _WRITTEN),
    "score": ({"texts": (_STRING, 1)}, {"logprob": (_FLOAT, 1), "num_tokens": (_INT, 1)}),
}


def _operations(path: Path) -> None:
    compiled = read_directory(path).graph.compiled
    expect(not compiled, f"made with jit_compile: {', '.join(sorted(compiled))}")


def _signatures(path: Path) -> None:
    signatures = _read_signatures(path)
    for name, (inputs, outputs) in _CONTRACT.items():
        expect(name in signatures, f"there is no {name}")
        for wanted, specs in (
            (inputs, signatures[name].inputs),
            (outputs, signatures[name].outputs),
        ):
            for key, (dtype, rank) in wanted.items():
                expect(key in specs, f"{name} has no {key}")
                found = (specs[key].dtype, len(specs[key].shape or ()))
                expect(found == (dtype, rank), f"{name}.{key} has another type or rank")
    state = signatures["prefill"].outputs
    for specs in (signatures["decode"].inputs, signatures["decode"].outputs):
        missing = set(state) - set(specs)
        expect(not missing, f"decode lacks {', '.join(sorted(missing))}")


def _read_signatures(path: Path) -> dict[str, Signature]:
    # Whether the graph is safe is another check's business.
    return read_directory(path, trusted=True).signatures


def _batch_first(path: Path) -> None:
    for name, signature in _read_signatures(path).items():
        for key, spec in (*signature.inputs.items(), *signature.outputs.items()):
            first, *_ = spec.shape or [0]
            expect(first is None, f"{name}.{key} does not")
            expect(_is_common(spec), f"{name}.{key} has a type that REST does not know")


def _is_common(spec: TensorSpec) -> bool:
    return spec.dtype == _STRING or (spec.dtype.kind in "iufb" and spec.dtype != np.float16)


def _defaults(path: Path) -> None:
    for name, signature in _read_signatures(path).items():
        if name == "serving_default" or "prompts" not in signature.inputs:
            continue
        lacking = set(signature.inputs) - set(signature.defaults) - {"prompts"}
        expect(not lacking, f"{name} has none for {', '.join(sorted(lacking))}")
        for key, value in signature.defaults.items():
            spec = signature.inputs[key]
            fits = value.dtype == spec.dtype and spec.accepts_shape(value.shape)
            expect(fits and value.size > 0, f"that of {name}.{key} has another type or shape")


def _card(path: Path) -> None:
    _ = ModelEntry(path.name, None, path).card  # raises for what it lacks


def _tokenizer(path: Path) -> None:
    tokenizer = load_tokenizer(path / TOKENIZER_PATH)
    told = ModelEntry(path.name, None, path).card.tokenizer.to_dict()
    found = {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size}
    expect(told == found, f"the card tells of {told}, the file is {found}")


# What each check proves.
FILE_CHECKS = {
    "only operations that textgen exports, without XLA": _operations,
    "the documented signatures, with their types": _signatures,
    "every input and output has the batch first": _batch_first,
    "every input but the prompts has a default": _defaults,
    "the model card is complete": _card,
    "the tokenizer is the card's": _tokenizer,
}
