"""What the training benchmarks train, and on what: the same for every side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

VALIDATION_SPLIT = 0.1


class Setting(NamedTuple):
    """A model and the batches it learns from."""

    architecture: str
    num_layers: int
    num_heads: int
    hidden_dim: int
    context_length: int
    batch_size: int


SETTINGS = {
    "transformer": Setting("transformer", 4, 4, 128, 64, 12),
    "lstm": Setting("lstm", 2, 1, 256, 128, 32),
}


class Tokens(NamedTuple):
    """Characters as numbers: int64[N] of either part, and how many characters there are."""

    training: np.ndarray
    validation: np.ndarray
    vocab_size: int


def read_tokens(corpus: Path) -> Tokens:
    """Read a corpus, or end with a sentence that says why not."""
    try:
        text = corpus.read_text(encoding="utf-8")
    except OSError as error:
        sys.exit(f"{corpus}: cannot be read ({error.strerror}).")
    except UnicodeDecodeError as error:
        sys.exit(f"{corpus}: is not UTF-8 (byte {error.start}).")
    shortest = 20 * max(setting.context_length for setting in SETTINGS.values())
    if len(text) < shortest:
        sys.exit(f"{corpus}: must hold at least {shortest} characters. Received: {len(text)}.")
    code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    characters, tokens = np.unique(code_points, return_inverse=True)
    first_of_validation = len(tokens) - int(len(tokens) * VALIDATION_SPLIT)
    return Tokens(tokens[:first_of_validation], tokens[first_of_validation:], len(characters))
