"""Publish a model: add it as the next version to the base path of a server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError
from textgen.files import open_plain
from textgen.serving.tf_serving.configuration import write_configuration


def publish(entry: ModelEntry, folder: str | os.PathLike[str]) -> Path:
    """Copy a model to FOLDER/NAME/N, where N follows the versions that are there.

    The version appears atomically, and a server that watches FOLDER/NAME loads it.

    Args:
        entry: The version to copy.
        folder: Models folder to publish to.

    Returns:
        The new version's folder.

    Raises:
        ConfigError: If the copy would be inside the original.
        ModelDamagedError: If a file has changed since it was written.
        OSError: If a file cannot be read or written, or is not a plain file; nothing appears.
    """
    catalog = Catalog(folder)
    # `Path.resolve` raises an error of its own for a loop of links; writing raises an OSError.
    target = Path(os.path.realpath(catalog.model_folder(entry.name)))
    if target.is_relative_to(entry.path.resolve()):
        raise ConfigError(
            f"A model must be published outside of its own folder {entry.path}. "
            f"Received: {os.fspath(folder)!r}"
        )

    def copy(scratch: Path) -> None:
        _copy(entry.path, scratch)
        ModelEntry(entry.name, entry.version, scratch).check_files(all_files=True)

    path = catalog.add_version(entry.name, copy)
    write_configuration(path.parent, entry.name)
    return path


def _copy(source: Path, target: Path) -> None:
    """Copy the plain files of a folder, with plain modes, up to the first error.

    `shutil.copytree` would follow links, keep set-user-ID bits, and continue after an error.
    """
    for child in source.iterdir():
        copied = target / child.name
        if child.is_dir() and not child.is_symlink():
            copied.mkdir()
            _copy(child, copied)
        else:
            with open_plain(child) as file, copied.open("wb") as copy:
                shutil.copyfileobj(file, copy)
