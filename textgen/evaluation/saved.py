"""Evaluations that are kept next to a model: one JSON object per line.

They are not in the version's folder, whose files are published and digested as they were
exported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError
from textgen.evaluation.evaluate import Evaluation
from textgen.files import open_plain, write_atomically

_NAME = "evaluations.jsonl"
# The newest are kept; an evaluation has a few kilobytes.
_MAX_KEPT = 100
_MAX_BYTES = 1 << 22


def save_evaluation(
    evaluation: Evaluation,
    names: Sequence[str | None],
    models_dir: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Append an evaluation to the records of its models.

    Args:
        evaluation: From `evaluate`.
        names: The names it was called with.
        models_dir: The models folder.

    Returns:
        The files.

    Raises:
        ConfigError: If a model is no version in a model's folder.
        OSError: If a file cannot be written.
    """
    entries = [Catalog(models_dir).find(name) for name in names]
    for entry in entries:
        if entry.version is None:
            raise ConfigError(
                f"Only the evaluation of a version in a model's folder can be saved. "
                f"Received: {entry.path}"
            )
    record = {"created": datetime.now(UTC).isoformat(timespec="seconds"), **evaluation.to_dict()}
    line = json.dumps(record, ensure_ascii=False)
    paths = list(dict.fromkeys(entry.path.parent / _NAME for entry in entries))
    for path in paths:
        lines = [*_lines(path), line][-_MAX_KEPT:]
        write_atomically(path, "".join(f"{each}\n" for each in lines).encode())
    return paths


def read_evaluations(entry: ModelEntry) -> list[dict[str, Any]]:
    """Return the saved evaluations of a model's version, the oldest first.

    Lines that textgen did not write are skipped.

    Args:
        entry: The model.
    """
    if entry.version is None:
        return []
    found = []
    for line in _lines(entry.path.parent / _NAME):
        try:
            record = json.loads(line)
            versions = [(each["name"], each["version"]) for each in record["models"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if (entry.name, entry.version) in versions:
            found.append(record)
    return found


def _lines(path: Path) -> list[str]:
    try:
        with open_plain(path) as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
