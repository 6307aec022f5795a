"""Which version of the model a run was exported as: what --resume must know of a run that ended.

A run that was killed between its last checkpoint and the end of its export has no such note
for its last step, and is exported when it is resumed.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from textgen.files import write_atomically


def note_export(folder: Path, step: int, version: str) -> None:
    """Note that the model of a run is published.

    Args:
        folder: of the run.
        step: steps the run had done.
        version: name of the version's folder, beside the run's.
    """
    note = {"step": step, "version": version}
    # The model is there all the same; without the note it would be exported once more.
    with contextlib.suppress(OSError):
        write_atomically(folder / "exported.json", json.dumps(note).encode())


def exported_step(folder: Path) -> int | None:
    """Return the step from which a run was exported last, if that version is still there.

    Args:
        folder: of the run.
    """
    try:
        note = json.loads((folder / "exported.json").read_text(encoding="utf-8"))
        return note["step"] if folder.with_name(note["version"]).is_dir() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
