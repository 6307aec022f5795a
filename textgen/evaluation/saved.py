"""Evaluations that are kept next to a model: one JSON object per line.

They are not in the version's folder, whose files are published and digested as they were
exported.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError
from textgen.evaluation.bootstrap import Figure
from textgen.evaluation.evaluate import Evaluation
from textgen.files import read_lines, write_atomically

_NAME = "evaluations.jsonl"
# The newest are kept; an evaluation has a few kilobytes.
_MAX_KEPT = 100
_MAX_BYTES = 1 << 22


@dataclass(frozen=True)
class SavedEvaluation:
    """What is known of an evaluation that was saved.

    Attributes:
        created: When, in UTC, as ISO 8601.
        text: The text, in a few words.
        bits_per_character: How good the model was on it.
    """

    created: str
    text: str
    bits_per_character: Figure


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
    paths = []
    for number, entry in enumerate(entries):
        path = entry.path.parent / _NAME
        # The number in `models`, because a model may be renamed later.
        line = json.dumps({"version": entry.version, "number": number, **record})
        kept = [*read_lines(path, _MAX_BYTES), line][-_MAX_KEPT:]
        write_atomically(path, "".join(f"{each}\n" for each in kept).encode())
        paths.append(path)
    return list(dict.fromkeys(paths))


def read_evaluations(entry: ModelEntry) -> list[SavedEvaluation]:
    """Return the saved evaluations of a model's version, the oldest first.

    Lines that textgen did not write are skipped.

    Args:
        entry: The model.
    """
    if entry.version is None:
        return []
    found = []
    for line in read_lines(entry.path.parent / _NAME, _MAX_BYTES):
        try:
            record = json.loads(line)
            if record["version"] != entry.version:
                continue
            figure = record["models"][record["number"]]["bits_per_character"]
            numbers = [figure[key] for key in ("value", "low", "high")]
            bits = Figure(*(None if n is None else float(n) for n in numbers))  # type: ignore[arg-type]
            found.append(SavedEvaluation(str(record["created"]), str(record["text"]), bits))
        except (ArithmeticError, ValueError, LookupError, TypeError, RecursionError):
            continue
    return found
