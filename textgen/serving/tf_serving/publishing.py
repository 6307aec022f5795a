"""Publishing a model: another server's base path gets its next version, whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError
from textgen.serving.tf_serving.configuration import write_configuration


def publish(entry: ModelEntry, folder: str | os.PathLike[str]) -> Path:
    """Copy a model to FOLDER/NAME/N, where N follows the versions that are there.

    A server that watches FOLDER/NAME sees the version appear complete, and loads it.

    Args:
        entry: the version to copy.
        folder: holds a folder a model.

    Returns:
        The new version's folder.

    Raises:
        ConfigError: the copy would lie inside what is copied.
        OSError: a file cannot be read or written; nothing appears.
    """
    catalog = Catalog(folder)
    if catalog.model_folder(entry.name).resolve().is_relative_to(entry.path.resolve()):
        raise ConfigError(
            f"A model must be published outside of its own folder {entry.path}. "
            f"Received: {os.fspath(folder)!r}"
        )
    path = catalog.add_version(entry.name, lambda scratch: _copy(entry.path, scratch))
    write_configuration(path.parent, entry.name)
    return path


def _copy(source: Path, target: Path) -> None:
    """Copy what a folder holds, up to the first error: shutil.copytree would go on behind it."""
    for child in source.iterdir():
        copied = target / child.name
        if child.is_dir():
            copied.mkdir()
            _copy(child, copied)
        else:
            shutil.copy2(child, copied)
