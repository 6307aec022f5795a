"""The models on disk: their names, folders and versions.

saved_models/NAME/1/, 2/ ...   SavedModel versions, a TensorFlow Serving base path
saved_models/NAME/train/       what the newest training run needs to go on
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textgen.errors import ConfigError, ModelDamagedError, ModelNotFoundError
from textgen.files import publish, scratch_folder

logger = logging.getLogger(__name__)

MODELS_VARIABLE = "TEXTGEN_MODELS"
CARD_PATH = Path("assets.extra", "textgen.json")
TOKENIZER_PATH = Path("assets.extra", "tokenizer.json")
# TensorFlow Serving looks for this name.
WARMUP_PATH = Path("assets.extra", "tf_serving_warmup_requests")
REQUEST_PATH = Path("assets.extra", "generate.json")
_NUMBER = (int, float)
# What every card tells, by its parts ("" is the card itself).
_CARD: dict[str, dict[str, type | tuple[type, ...]]] = {
    "": {
        **dict.fromkeys(("model", "tokenizer", "corpus", "training", "versions"), dict),
        "num_parameters": int,
        "steps": int,
        "created": str,
        **dict.fromkeys(("validation_loss", "bits_per_character", "perplexity"), _NUMBER),
    },
    "model": {
        "architecture": str,
        **dict.fromkeys(("num_layers", "hidden_dim", "context_length"), int),
    },
    "tokenizer": {"kind": str, "vocab_size": int},
    "corpus": {
        "description": str,
        "digest": str,
        "has_documents": bool,
        "config": dict,
        "num_documents": int,
        "num_characters": int,
    },
    "training": {"batch_size": int, "optimizer": str, "ended_by": str},
    "versions": dict.fromkeys(("textgen", "tensorflow", "keras"), str),
}


@dataclass(frozen=True)
class ModelEntry:
    """One exported model.

    Attributes:
        name: of the model's folder.
        version: number of the version, or `None` for a SavedModel outside a version folder.
        path: folder of the SavedModel.
    """

    name: str
    version: int | None
    path: Path

    @property
    def card(self) -> dict[str, Any]:
        """The model card, with all that `textgen.card.make_card` promises.

        Raises:
            ModelDamagedError: it is missing, lacks something or holds another type.
        """
        try:
            card = json.loads((self.path / CARD_PATH).read_text(encoding="utf-8"))
            _check_card(card)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelDamagedError(
                f"{self.path}: the model card {CARD_PATH} is missing or damaged ({error!r})."
            ) from error
        return card

    @property
    def num_bytes(self) -> int:
        """Size of all files of the SavedModel."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


def _check_card(card: Any) -> None:
    for part, fields in _CARD.items():
        values = card[part] if part else card
        for name, kind in fields.items():
            if not isinstance(values[name], kind):
                raise TypeError(f"{name} is a {type(values[name]).__name__}")
            if isinstance(values[name], float) and not math.isfinite(values[name]):
                raise ValueError(f"{name} is {values[name]}")


def check_name(name: str) -> str:
    """Return `name` if it can be a model's folder name.

    Raises:
        ConfigError: it is empty, a path, hidden, or holds control characters.
    """
    plain = isinstance(name, str) and name.strip() == name and name
    if not plain or name[0] in ".-" or any(c in "/\\:" or not c.isprintable() for c in name):
        raise ConfigError(
            "A model's name must be a plain folder name without slashes, colons, control "
            "characters and blanks at its ends, and must not begin with '.' or '-'. "
            f"Received: {name!r}"
        )
    return name


class Catalog:
    """The models in one folder.

    Args:
        folder: the models folder; where `None`, TEXTGEN_MODELS or ./saved_models.

    Raises:
        ConfigError: the folder's name is empty.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        if folder is None:
            folder = os.environ.get(MODELS_VARIABLE) or "saved_models"
        if not os.fspath(folder):
            raise ConfigError("The models folder must have a name. Received: ''")
        self.folder = Path(folder)

    def model_folder(self, name: str) -> Path:
        """Return where the model of that name lives or will live."""
        return self.folder / check_name(name)

    def entries(self) -> list[ModelEntry]:
        """Return the newest version of every model, the newest model first.

        A folder that cannot be read is passed over with a warning.
        """
        if not self.folder.is_dir():
            return []
        newest = []
        for folder in self.folder.iterdir():
            if folder.name.startswith("."):
                continue
            try:
                if entry := _newest_version(folder):
                    newest.append((_written_at(entry.path), entry))
            except OSError as error:
                logger.warning("%s cannot be read (%s).", folder, error.strerror)
        return [entry for _, entry in sorted(newest, key=lambda pair: pair[0], reverse=True)]

    def find(self, name_or_path: str | os.PathLike[str] | None = None) -> ModelEntry:
        """Return a model by its name here, by the path of its folder or of a version.

        Args:
            name_or_path: the newest model where `None`.

        Raises:
            ModelNotFoundError: there is no such model.
        """
        if name_or_path is None:
            entries = self.entries()
            if not entries:
                raise ModelNotFoundError(
                    f"There is no model in {self.folder} yet. Train one: textgen train corpus.txt"
                )
            return entries[0]
        path = Path(name_or_path)
        # A name wins over a folder of the same name in the working directory.
        for folder in (self.folder / path, path):
            if _has_graph(folder):
                # "." does not tell the version, nor does a link to one by another name.
                is_version = _version_number(folder.name) is not None
                named = folder if is_version else folder.resolve()
                version = _version_number(named.name)
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
        """Write a model's next version, which no reader sees before it is whole.

        Args:
            name: of the model.
            write: puts the SavedModel into the folder that it is given.

        Returns:
            The version's folder. Its number follows those that are there when it is written.

        Raises:
            OSError: the folder cannot be written; nothing appears.
        """
        folder = self.model_folder(name)
        with scratch_folder(folder) as scratch:
            write(scratch)
            while True:
                path = folder / str(max(_versions(folder), default=0) + 1)
                try:
                    publish(scratch, path)
                except OSError as error:
                    # Another process may have taken the number just now.
                    if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                        raise
                else:
                    return path


def _versions(folder: Path) -> dict[int, Path]:
    """A model's version numbers, with their folders."""
    # os.path's answer to a name that no file can have is False; pathlib raises.
    children = folder.iterdir() if os.path.isdir(folder) else ()
    numbers = ((_version_number(child.name), child) for child in children)
    return {number: child for number, child in numbers if number is not None}


def _version_number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() else None


def _newest_version(folder: Path) -> ModelEntry | None:
    for version, path in sorted(_versions(folder).items(), reverse=True):
        if _has_graph(path):
            return ModelEntry(_own_name(folder), version, path)
    return None


def _own_name(folder: Path) -> str:
    """A folder's name as its parent has it: that of a link, not of what it leads to."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


def _has_graph(folder: Path) -> bool:
    return os.path.isfile(folder / "saved_model.pb")


def _written_at(path: Path) -> float:
    return (path / "saved_model.pb").stat().st_mtime
