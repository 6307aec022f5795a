"""What a training run recorded while it learned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from textgen.files import read_lines
from textgen.run import RunFolder

_MAX_BYTES = 1 << 24


def read_history(folder: RunFolder) -> list[dict[str, Any]]:
    """Return what a run recorded at each validation; lines that are damaged are skipped.

    Args:
        folder: The run's folder. The run may still be in progress.
    """
    return [
        record
        for record in _records(folder.history)
        if all(_is_number(record.get(key), 1e9) for key in ("loss", "validation_loss"))
    ]


def read_samples(folder: RunFolder, most: int) -> list[tuple[int, str]]:
    """Return what the model wrote in training, with the step; lines that are damaged are skipped.

    Args:
        folder: The run's folder. The run may still be in progress.
        most: How many samples to return at most, the first, the last and some between them.
    """
    found = {
        record["step"]: record["text"]
        for record in _records(folder.samples)
        if isinstance(record.get("text"), str)
    }
    samples = sorted(found.items())
    chosen = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return [samples[index] for index in chosen]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file whose step is one; lines that are damaged are skipped."""
    for line in read_lines(path, _MAX_BYTES):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            continue
        if _is_number(record["step"], 2**53):
            yield record


def _is_number(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and 0 <= value < limit
