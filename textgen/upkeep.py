"""Delete and rename models, except while they are being trained."""

from __future__ import annotations

from pathlib import Path

from textgen.catalog import Catalog
from textgen.errors import ConfigError, ModelNotFoundError
from textgen.files import scratch_folder
from textgen.run import ModelRuns, RunLock
from textgen.serving.tf_serving import rename_in_configuration


def find_versions(catalog: Catalog, name: str, version: int | None = None) -> list[int]:
    """Return the numbers of a model's versions, the newest first.

    A model that was never exported has none, but its training run is there.

    Args:
        catalog: The models folder.
        name: The model's name.
        version: A version that must be among them, if one is given.

    Raises:
        ConfigError: If it cannot be a name.
        ModelNotFoundError: If there is no such model or version.
        OSError: If the models folder cannot be read.
    """
    versions = [entry.version for entry in catalog.versions(name) if entry.version is not None]
    if not versions and not ModelRuns(catalog.model_folder(name)).newest.path.is_dir():
        known = ", ".join(entry.name for entry in catalog.entries()) or "none"
        raise ModelNotFoundError(
            f"There is no model {name!r} in {catalog.folder}. Models there: {known}."
        )
    if version is not None and version not in versions:
        raise ModelNotFoundError(f"The model {name!r} has no version {version}.")
    return versions


def delete_model(catalog: Catalog, name: str, version: int | None = None) -> None:
    """Delete a model with its versions and training runs, or one version.

    Other processes see all of it or nothing.

    Args:
        catalog: The models folder.
        name: The model's name.
        version: The version's number. If `None`, everything in the model's folder.

    Raises:
        ModelBusyError: If a training run of the model is in progress.
        ModelNotFoundError: If there is no such model or version.
        OSError: If the folder cannot be written.
    """
    if version is not None:
        find_versions(catalog, name, version)
    folder = _own_folder(catalog, name)
    with RunLock(ModelRuns(folder)) as lock:
        lock.acquire()
        path = folder if version is None else folder / str(version)
        with scratch_folder(catalog.folder) as scratch:  # removed when the block ends
            path.rename(scratch / path.name)


def rename_model(catalog: Catalog, old: str, new: str) -> Path:
    """Rename a model and return its folder.

    Args:
        catalog: The models folder.
        old: The model's name.
        new: Its new name, which no model has.

    Raises:
        ConfigError: If the new name is taken, or cannot be a name.
        ModelBusyError: If a training run of the model is in progress.
        ModelNotFoundError: If there is no such model.
        OSError: If the folder cannot be written.
    """
    folder, target = _own_folder(catalog, old), catalog.model_folder(new)
    if target.exists():
        raise ConfigError(f"The new name must be free. Received: {new!r}, but {target} exists")
    with RunLock(ModelRuns(folder)) as lock:
        lock.acquire()
        folder.rename(target)
        ModelRuns(target).lock.unlink(missing_ok=True)
    rename_in_configuration(target, old, new)
    return target


def _own_folder(catalog: Catalog, name: str) -> Path:
    """Return the folder of a model, which is in the models folder itself."""
    find_versions(catalog, name)
    folder = catalog.model_folder(name)
    if folder.is_symlink():
        raise ConfigError(
            f"A linked model must be changed in its own models folder. Received: {name!r}, "
            f"which links to {folder.resolve()}"
        )
    return folder
