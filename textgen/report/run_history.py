"""What a training run recorded while it learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from textgen.files import open_plain
from textgen.run import RunFolder

_MAX_BYTES = 1 << 24


def read_history(folder: RunFolder) -> list[dict[str, Any]]:
    """Return what a run recorded at each validation; lines that are damaged are skipped.

    Args:
        folder: The run's folder. The run may still be in progress.
    """
    found = []
    for line in _lines(folder.history):
        try:
            record = json.loads(line)
            step, *losses = (record[key] for key in ("step", "loss", "validation_loss"))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if _is_number(step, int, 2**53) and all(_is_number(n, int | float, 1e9) for n in losses):
            found.append(record)
    return found


def read_samples(folder: RunFolder, most: int) -> list[tuple[int, str]]:
    """Return what the model wrote in training, with the step; lines that are damaged are skipped.

    Args:
        folder: The run's folder. The run may still be in progress.
        most: How many samples to return at most, the first, the last and some between them.
    """
    found = {}
    for line in _lines(folder.samples):
        try:
            record = json.loads(line)
            step, text = record["step"], record["text"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if _is_number(step, int, 2**53) and isinstance(text, str):
            found[step] = text
    samples = sorted(found.items())
    chosen = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return [samples[index] for index in chosen]


def _lines(path: Path) -> list[str]:
    try:
        with open_plain(path) as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _is_number(value: object, kind: Any, limit: float) -> bool:
    return isinstance(value, kind) and 0 <= value < limit
