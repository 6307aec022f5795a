"""The signatures that a SavedModel must have to be one of textgen's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from textgen.runtime import Signature

_STRING, _INT, _FLOAT = (np.dtype(kind) for kind in (object, np.int32, np.float32))
_GENERATED = {
    "text": (_STRING, 1),
    "text_bytes": (_STRING, 1),
    "token_ids": (_INT, 2),
    "num_tokens": (_INT, 1),
    "finish_reason": (_STRING, 1),
}
_SEARCHED = {**_GENERATED, "logprob": (_FLOAT, 1)}
_PROMPTS = {"prompts": (_STRING, 1)}
_SHARED = {**_PROMPTS, "max_new_tokens": (_INT, 1), "stop": (_STRING, 2)}
# The inputs and outputs that each signature has at least: element type and rank.
_CONTRACT: dict[str, tuple[dict, dict]] = {
    "serving_default": (_PROMPTS, _GENERATED),
    "generate": (_SHARED, _GENERATED),
    "prefill": (_PROMPTS, {}),
    "beam_search": (
        {**_SHARED, "num_beams": (_INT, 1), "length_penalty": (_FLOAT, 1)},
        {**_SEARCHED, "score": (_FLOAT, 1)},
    ),
    "contrastive_search": (
        {**_SHARED, "penalty_alpha": (_FLOAT, 1), "top_k": (_INT, 1)},
        _SEARCHED,
    ),
    "decode": ({"num_tokens": (_INT, 1)}, _GENERATED),
    "score": (
        {"texts": (_STRING, 1)},
        {
            "token_ids": (_INT, 2),
            "logprobs": (_FLOAT, 2),
            "logprob": (_FLOAT, 1),
            "num_tokens": (_INT, 1),
        },
    ),
}
# Outputs that an earlier export may lack.
_OPTIONAL = {
    "logprobs": (_FLOAT, 2),
    "top_token_ids": (_INT, 3),
    "top_logprobs": (_FLOAT, 3),
}


def contract_flaws(signatures: Mapping[str, Signature]) -> Iterator[str]:
    """Yield what signatures lack, as phrases such as "no signature 'generate'"."""
    for name, (inputs, outputs) in _CONTRACT.items():
        if name not in signatures:
            yield f"no signature {name!r}"
            continue
        signature = signatures[name]
        optional = {key: kind for key, kind in _OPTIONAL.items() if key in signature.outputs}
        for wanted, specs in (
            (inputs, signature.inputs),
            ({**optional, **outputs}, signature.outputs),
        ):
            for key, (dtype, rank) in wanted.items():
                if key not in specs:
                    yield f"no {name}.{key}"
                elif (specs[key].dtype, len(specs[key].shape or ())) != (dtype, rank):
                    yield f"another type or rank of {name}.{key}"
    if {"prefill", "decode"} <= signatures.keys():
        state, decode = set(signatures["prefill"].outputs), signatures["decode"]
        for key in sorted(state - (decode.inputs.keys() & decode.outputs.keys())):
            yield f"no decode.{key}"
