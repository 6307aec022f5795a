"""Where the heads of a model look in a passage that it was not trained on."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from textgen.catalog import Catalog, ModelEntry
from textgen.inheritance import find_parent
from textgen.report.charts import label
from textgen.run import Run
from textgen.runtime.banner import hidden_banner

# Longer contexts are cut. Less than a few tokens say nothing.
_MAX_TOKENS, _MIN_TOKENS = 256, 8
# A map of more tokens is too small to read on a phone.
_MAP_TOKENS = 24


@dataclass(frozen=True, eq=False)
class Attention:
    """Where the heads of a model look.

    Attributes:
        distances: The ranges of distances, the first and the last of each.
        by_distance: float32[layers, heads, ranges], how much of a head's attention goes to
            tokens at these distances, on average over the second half of the passage.
        layer: The layer of the head that the map shows, from 1.
        head: The head in that layer, from 1.
        tokens: The texts of the first N tokens of the passage.
        weights: float32[N, N], how much of that head's attention goes from each to each.
    """

    distances: tuple[tuple[int, int], ...]
    by_distance: np.ndarray
    layer: int
    head: int
    tokens: tuple[str, ...]
    weights: np.ndarray


def read_attention(entry: ModelEntry, run: Run) -> Attention | None:
    """Return where a model's heads look at the beginning of the validation part of its corpus.

    Args:
        entry: The model.
        run: Its run.

    Returns:
        `None` if the model has no heads, or the passage would be too short.

    Raises:
        ModelDamagedError: If the model's weights cannot be read.
    """
    parent, _ = find_parent(Catalog(), os.fspath(entry.path.absolute()))
    token_ids = run.store.validation[: min(parent.config.context_length, _MAX_TOKENS)]
    if len(token_ids) < _MIN_TOKENS:
        return None
    with hidden_banner():
        weights = parent.config.profile.attention(
            parent.config,
            parent.tokenizer.vocab_size,
            parent.weights(),
            token_ids.astype(np.int32),
        )
    if weights is None:
        return None
    layer, head = _sharpest(weights)
    distances = _ranges(len(token_ids))
    shown = token_ids[:_MAP_TOKENS].tolist()
    return Attention(
        distances,
        _by_distance(weights, distances),
        layer + 1,
        head + 1,
        tuple(label(parent.tokenizer.pieces[token]) for token in shown),
        weights[layer, head, : len(shown), : len(shown)],
    )


def _ranges(time: int) -> tuple[tuple[int, int], ...]:
    """Return ranges of distances below `time`, each as long as all before it from 4 on.

    Example:
        >>> _ranges(16)
        ((0, 0), (1, 1), (2, 2), (3, 3), (4, 7), (8, 15))
    """
    starts = [0, 1, 2, *(2**power for power in range(2, 32)), 3]
    starts = sorted(start for start in starts if start < time)
    return tuple(zip(starts, [*(start - 1 for start in starts[1:]), time - 1], strict=True))


def _by_distance(weights: np.ndarray, ranges: tuple[tuple[int, int], ...]) -> np.ndarray:
    time = weights.shape[-1]
    seen_from = np.arange(time // 2, time)  # from the first half, nothing is far away
    distance = seen_from[:, None] - np.arange(time)
    sums = [
        (weights[:, :, seen_from] * ((first <= distance) & (distance <= last))).sum(-1).mean(-1)
        for first, last in ranges
    ]
    return np.stack(sums, axis=-1)


def _sharpest(weights: np.ndarray) -> tuple[int, int]:
    """Return the layer and the head that most often pick one token that is no neighbor."""
    time = weights.shape[-1]
    is_far = np.tri(time, k=-2, dtype=bool)
    strongest = np.where(is_far, weights, 0).max(-1).mean(-1)
    layer, head = np.unravel_index(strongest.argmax(), strongest.shape)
    return int(layer), int(head)
