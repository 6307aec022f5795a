"""Publishing a model: another server's base path gets its next version, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from textgen.catalog import Catalog, ModelEntry
from textgen.serving.configuration import write_configuration


def publish(entry: ModelEntry, folder: str | os.PathLike[str]) -> Path:
    """Copy a model to FOLDER/NAME/N, where N follows the versions that are there.

    A server that watches FOLDER/NAME sees the version appear complete, and loads it.

    Args:
        entry: the version to copy.
        folder: holds a folder a model.

    Returns:
        The new version's folder.

    Raises:
        OSError: a file cannot be read or written; nothing appears.
    """
    with Catalog(folder).new_version(entry.name) as (scratch, path):
        shutil.copytree(entry.path, scratch, dirs_exist_ok=True)
    write_configuration(path.parent, entry.name)
    return path
