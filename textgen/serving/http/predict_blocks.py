"""Texts of a `:predict` request, generated block by block so that they can be cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from starlette.requests import ClientDisconnect

from textgen.inference.stream import ChunkDecoder, affordable_tokens
from textgen.runtime import SavedModel

Outputs = dict[str, np.ndarray]

# How long a block may take: a client that is gone is noticed after it.
_SECONDS_PER_BLOCK = 0.1
# The filler after a row's end, in outputs whose second dimension is the token.
_FILLERS = {"token_ids": -1, "logprobs": 0.0, "top_token_ids": -1, "top_logprobs": 0.0}


def generate(
    model: SavedModel, inputs: Mapping[str, np.ndarray], is_cancelled: Callable[[], bool]
) -> Outputs:
    """Return what the signature `generate` returns.

    Args:
        model: An exported model.
        inputs: Inputs of `generate`; those left out have their defaults.
        is_cancelled: Asked before every block.

    Raises:
        ClientDisconnect: If it was cancelled.
        GenerationError: If the model fails.
    """
    if is_cancelled():
        raise ClientDisconnect
    most = model.signatures["generate"].defaults["max_new_tokens"]
    decoder = ChunkDecoder(model, **{"max_new_tokens": most, **inputs})
    blocks: list[Outputs] = []
    size = 1
    while not blocks or not all(blocks[-1]["finish_reason"]):
        if is_cancelled():
            raise ClientDisconnect
        started = time.monotonic()
        blocks.append(decoder.decode(size))
        size = affordable_tokens(size, time.monotonic() - started, _SECONDS_PER_BLOCK)
    return join(blocks)


def join(blocks: Sequence[Outputs]) -> Outputs:
    """Return the outputs of consecutive calls of `decode` as those of a single call.

    Args:
        blocks: At least one.
    """
    last = blocks[-1]
    texts = np.empty(len(last["text_bytes"]), object)
    clean = np.empty_like(texts)
    for row, pieces in enumerate(zip(*(block["text_bytes"] for block in blocks), strict=True)):
        texts[row] = b"".join(pieces)
        # A character may be cut at the end, but not between two blocks.
        clean[row] = texts[row].decode("utf-8", errors="replace").encode("utf-8")
    return {
        "text": clean,
        "text_bytes": texts,
        "num_tokens": np.stack([block["num_tokens"] for block in blocks]).sum(0, np.int32),
        "finish_reason": last["finish_reason"],
        **{name: _join_tokens(blocks, name) for name in _FILLERS},
    }


def _join_tokens(blocks: Sequence[Outputs], name: str) -> np.ndarray:
    # Rows end in different blocks, and one whose prompt was healed has a token more in the first.
    parts = [block[name] for block in blocks]
    shape = (len(parts[0]), sum(part.shape[1] for part in parts), *parts[0].shape[2:])
    joined = np.full(shape, _FILLERS[name], parts[0].dtype)
    for row in range(len(joined)):
        start = 0
        for block, part in zip(blocks, parts, strict=True):
            tokens = part[row, : block["num_tokens"][row]]
            joined[row, start : start + len(tokens)] = tokens
            start += len(tokens)
    return joined
