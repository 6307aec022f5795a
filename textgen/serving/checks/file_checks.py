"""Checks of a SavedModel's files, which need no TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from textgen.catalog import TOKENIZER_PATH, ModelEntry
from textgen.inference.contract import contract_flaws
from textgen.runtime import Signature, TensorSpec
from textgen.runtime.directory import read_directory
from textgen.serving.checks.result import expect
from textgen.tokenizer import load_tokenizer


def _operations(path: Path) -> None:
    compiled = read_directory(path).graph.compiled
    expect(not compiled, f"made with jit_compile: {', '.join(sorted(compiled))}")


def _signatures(path: Path) -> None:
    flaws = [*contract_flaws(_read_signatures(path))]
    expect(not flaws, f"it has {', '.join(flaws)}")


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
    return spec.dtype == object or (spec.dtype.kind in "iufb" and spec.dtype != np.float16)


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
    card = ModelEntry(path.name, None, path).card.tokenizer
    described, found = (f"{each.kind}, {each.vocab_size} tokens" for each in (card, tokenizer))
    expect(described == found, f"the card describes {described}, the file has {found}")


def _digests(path: Path) -> None:
    ModelEntry(path.name, None, path).check_files(all_files=True)


# What each check proves.
FILE_CHECKS = {
    "only operations that textgen exports, without XLA": _operations,
    "the documented signatures, with their types": _signatures,
    "every input and output has the batch first": _batch_first,
    "every input but the prompts has a default": _defaults,
    "no file has changed since it was written": _digests,
    "the model card is complete": _card,
    "the tokenizer is the one in the model card": _tokenizer,
}
