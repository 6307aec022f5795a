"""The models on disk: their names, folders and versions.

saved_models/NAME/1/, 2/ ...   SavedModel versions, a TensorFlow Serving base path
saved_models/NAME/train/       what the newest training run needs to continue
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from textgen.card import ModelCard
from textgen.digests import DIGESTS_NAME, DigestError, check_digests, record_digests
from textgen.errors import ConfigError, ModelDamagedError, ModelNotFoundError
from textgen.files import publish, read_json, scratch_folder
from textgen.numerals import whole_number

logger = logging.getLogger(__name__)

MODELS_VARIABLE = "TEXTGEN_MODELS"
CARD_PATH = Path("assets.extra", "textgen.json")
TOKENIZER_PATH = Path("assets.extra", "tokenizer.json")
DIGESTS_PATH = Path("assets.extra", DIGESTS_NAME)
# The adapters that a run trained, if it did.
ADAPTER_PATH = Path("assets.extra", "adapter.npz")
CHAT_TEMPLATE_PATH = Path("assets.extra", "chat_template.jinja")
# TensorFlow Serving looks for this name.
WARMUP_PATH = Path("assets.extra", "tf_serving_warmup_requests")
REQUEST_PATH = Path("assets.extra", "generate.json")


@dataclass(frozen=True)
class ModelEntry:
    """One exported model.

    Attributes:
        name: The name of the model's folder.
        version: The version's number, or `None` for a SavedModel outside a version folder.
        path: The SavedModel's folder.

    Example:
        >>> entry = textgen.Catalog("saved_models").find("shakespeare/1")
        >>> entry.version, entry.card.model.num_layers
        (1, 1)
    """

    name: str
    version: int | None
    path: Path

    @property
    def card(self) -> ModelCard:
        """The model card.

        Raises:
            ModelDamagedError: If it is missing, or a field is missing or has another type.
        """
        try:
            return ModelCard.from_dict(read_json(self.path / CARD_PATH))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelDamagedError(
                f"{self.path}: the model card {CARD_PATH} is missing or damaged ({error!r})."
            ) from error

    def check_files(self, *, all_files: bool = False) -> None:
        """Check that files are as they were written, if their digests were.

        Args:
            all_files: Whether to check all files. Defaults to those that are small and read by
                textgen: TensorFlow checks the weights, which may be large, with its own sums.

        Raises:
            ModelDamagedError: If a file has changed, or cannot be read.
        """
        small = (CARD_PATH, TOKENIZER_PATH, CHAT_TEMPLATE_PATH, Path("saved_model.pb"))
        names = [
            path.as_posix()
            for path in small
            if path != CHAT_TEMPLATE_PATH or os.path.lexists(self.path / path)
        ]
        try:
            check_digests(self.path, self.path / DIGESTS_PATH, None if all_files else names)
        except FileNotFoundError:
            return  # Another program wrote it.
        except (OSError, DigestError) as error:
            raise ModelDamagedError(f"{self.path} is damaged: {error}.") from error

    @property
    def num_bytes(self) -> int:
        """Size of all files in the SavedModel."""
        found = (file.lstat() for file in self.path.rglob("*"))
        return sum(file.st_size for file in found if stat.S_ISREG(file.st_mode))


def check_name(name: str) -> str:
    """Return `name` if it can be a model's folder name.

    Raises:
        ConfigError: If it is empty, a path or hidden, or contains control characters.
    """
    plain = isinstance(name, str) and name.strip() == name and name
    if not plain or name[0] in ".-" or any(c in "/\\:" or not c.isprintable() for c in name):
        raise ConfigError(
            "A model's name must be a plain folder name without slashes, colons, control "
            "characters, or spaces at its ends, and must not begin with '.' or '-'. "
            f"Received: {name!r}"
        )
    return name


class Catalog:
    """The models in one folder.

    Args:
        folder: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.

    Raises:
        ConfigError: If the folder's name is empty.

    Example:
        >>> [entry.name for entry in textgen.Catalog("saved_models").entries()]
        ['shakespeare']
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        if folder is None:
            folder = os.environ.get(MODELS_VARIABLE) or "saved_models"
        if not os.fspath(folder):
            raise ConfigError("The models folder must have a name. Received: ''")
        self.folder = Path(folder)

    def model_folder(self, name: str) -> Path:
        """Return the folder of the model with that name, which need not exist.

        Raises:
            ConfigError: If the name cannot be a folder's, or TensorFlow could not write there.
        """
        try:
            os.fspath(self.folder).encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(
                "To write models, TensorFlow needs a models folder whose name is UTF-8. "
                f"Received: {os.fspath(self.folder)!r}"
            ) from None
        return self.folder / check_name(name)

    def entries(self) -> list[ModelEntry]:
        """Return the newest version of every model, the newest model first.

        A model's folder that cannot be read is skipped with a warning.

        Raises:
            OSError: If the models folder exists but cannot be read.
        """
        newest = []
        for folder in self._folders():
            if folder.name.startswith("."):
                continue
            try:
                if entry := _newest_version(folder):
                    newest.append((_written_at(entry.path), entry))
            except OSError as error:
                logger.warning("%s cannot be read (%s).", folder, error.strerror)
        return [entry for _, entry in sorted(newest, key=lambda pair: pair[0], reverse=True)]

    def versions(self, name: str) -> list[ModelEntry]:
        """Return all versions of a model, the newest first; none if there is no such model.

        Raises:
            ConfigError: If it cannot be a name.
            OSError: If the model's folder cannot be read.

        Example:
            >>> catalog = textgen.Catalog("saved_models")
            >>> [entry.version for entry in catalog.versions("shakespeare")]
            [1]
        """
        return list(_find_versions(self.model_folder(name)))

    def _folders(self) -> list[Path]:
        try:
            return [*self.folder.iterdir()]
        except FileNotFoundError:
            return []

    def find(self, name_or_path: str | os.PathLike[str] | None = None) -> ModelEntry:
        """Return a model by its name in this catalog, or by the path of its folder or version.

        Args:
            name_or_path: Model name or folder. Defaults to the newest model.

        Raises:
            ModelNotFoundError: If there is no such model.
        """
        if name_or_path is None:
            entries = self.entries()
            if not entries:
                raise ModelNotFoundError(
                    f"There is no model in {self.folder} yet. Train one first."
                )
            return entries[0]
        path = Path(name_or_path)
        # A name takes precedence over a folder of the same name in the working directory.
        for folder in (self.folder / path, path):
            if _has_graph(folder):
                # "." does not name a version, nor does a link to one under another name.
                is_version = whole_number(folder.name) is not None
                named = folder if is_version else folder.resolve()
                version = whole_number(named.name)
                name = _own_name(named if version is None else named.parent)
                return ModelEntry(name, version, folder)
            if entry := _newest_version(folder):
                return entry
        known = ", ".join(entry.name for entry in self.entries()) or "none"
        raise ModelNotFoundError(
            f"There is no model {str(name_or_path)!r} in {self.folder}, and no SavedModel at that "
            f"path. Models there: {known}."
        )

    def add_version(self, name: str, write: Callable[[Path], object]) -> Path:
        """Write a model's next version atomically: no other process sees it half-written.

        Args:
            name: The model's name.
            write: Writes the SavedModel into the folder that it is passed. Unless it also
                writes digests, those of its files are added.

        Returns:
            The version's folder. Its number follows those that exist once it is written.

        Raises:
            OSError: If the folder cannot be written; no version appears.
        """
        folder = self.model_folder(name)
        with scratch_folder(folder) as scratch:
            write(scratch)
            if not (scratch / DIGESTS_PATH).exists():
                record_digests(scratch, scratch / DIGESTS_PATH)
            while True:
                path = folder / str(max(_versions(folder), default=0) + 1)
                try:
                    publish(scratch, path)
                except OSError as error:
                    # Another process may just have taken the number.
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                else:
                    return path


def _versions(folder: Path) -> dict[int, Path]:
    """Return a model's version numbers, with their folders."""
    # For a name that no file can have, os.path returns False; pathlib raises.
    children = folder.iterdir() if os.path.isdir(folder) else ()
    numbers = ((whole_number(child.name), child) for child in children)
    return {number: child for number, child in numbers if number is not None}


def _newest_version(folder: Path) -> ModelEntry | None:
    return next(_find_versions(folder), None)


def _find_versions(folder: Path) -> Iterator[ModelEntry]:
    for version, path in sorted(_versions(folder).items(), reverse=True):
        if _has_graph(path):
            yield ModelEntry(_own_name(folder), version, path)


def _own_name(folder: Path) -> str:
    """Return a folder's name in its parent: a link's own name, not its target's."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


def _has_graph(folder: Path) -> bool:
    return os.path.isfile(folder / "saved_model.pb")


def _written_at(path: Path) -> float:
    return (path / "saved_model.pb").stat().st_mtime
