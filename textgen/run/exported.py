"""The record of a run's export: from which step, and as which version.

A run that was killed between its last checkpoint and the end of its export has no record for
its last step, so resuming it exports it.
"""

from __future__ import annotations

import contextlib
import json

from textgen.files import read_json, write_atomically
from textgen.run.folder import RunFolder


def record_export(folder: RunFolder, step: int, version: str) -> None:
    """Record that the model of a run has been published.

    Args:
        folder: The run's folder.
        step: Steps the run had done.
        version: Name of the version's folder, a sibling of the run's.
    """
    record = {"step": step, "version": version}
    # If this fails, the model is still there; it would only be exported a second time.
    with contextlib.suppress(OSError):
        write_atomically(folder.exported, json.dumps(record).encode())


def exported_step(folder: RunFolder) -> int | None:
    """Return the step from which a run was last exported, if that version still exists.

    Args:
        folder: The run's folder.
    """
    try:
        record = read_json(folder.exported)
        return record["step"] if folder.path.with_name(record["version"]).is_dir() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def exported_version(folder: RunFolder) -> str | None:
    """Return the name of the version folder that a run was last exported as, if recorded.

    Args:
        folder: The run's folder.
    """
    try:
        version = read_json(folder.exported)["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None
