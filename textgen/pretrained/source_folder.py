"""The files of a published model: plain files of a bounded size, and their digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from textgen.errors import PublishedModelError
from textgen.files import open_plain, read_json

_MAX_TEXT_BYTES = 1 << 18


class SourceFolder:
    """A folder that is read file by file; every file that was read counts in its digest.

    A file may be a link to another file of the folder, or of the `blobs` folder that the
    download cache of Hugging Face has two levels above.

    Args:
        folder: The folder.

    Example:
        >>> SourceFolder(Path("gpt2")).json("config.json")["model_type"]
        'gpt2'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: dict[str, Path] = {}

    def path(self, name: str) -> Path | None:
        """Return the path of a plain file, or `None` if there is none of that name.

        Args:
            name: The file's name; it may be in a subfolder.

        Raises:
            PublishedModelError: If the name, or a link, leads out of the folder.
        """
        path = self.folder / name
        if not path.exists() and not path.is_symlink():
            return None
        real = path.resolve()
        homes = (self.folder.resolve(), self.folder.resolve().parents[1] / "blobs")
        if not any(real.is_relative_to(home) for home in homes):
            raise PublishedModelError(f"{path} leads out of the folder, to {real}.")
        if not real.is_file():
            raise PublishedModelError(f"{path} is not a plain file.")
        self._used[name] = real
        return real

    def json(self, name: str) -> Any:
        """Return the content of a JSON object, or `None` if there is no file of that name.

        Raises:
            PublishedModelError: If it is no object, or damaged.
        """
        path = self.path(name)
        if path is None:
            return None
        try:
            value = read_json(path)
        except (OSError, ValueError) as error:
            raise PublishedModelError(f"{self.folder / name} is damaged ({error}).") from error
        if not isinstance(value, dict):
            raise PublishedModelError(f"{self.folder / name} is damaged (it is not an object).")
        return value

    def text(self, name: str, max_bytes: int = _MAX_TEXT_BYTES) -> str | None:
        """Return the content of a text file, or `None` if there is no file of that name.

        Raises:
            PublishedModelError: If it is longer than `max_bytes`, or not UTF-8.
        """
        path = self.path(name)
        if path is None:
            return None
        with open_plain(path) as file:
            content = file.read(max_bytes + 1)
        try:
            if len(content) > max_bytes:
                raise ValueError(f"it is larger than {max_bytes} bytes")
            return content.decode("utf-8")
        except ValueError as error:
            raise PublishedModelError(f"{self.folder / name} is damaged ({error}).") from error

    def digest(self) -> str:
        """Return the SHA-256 of the names and contents of all files that were read."""
        files = {name: file_digest(path) for name, path in sorted(self._used.items())}
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: If it cannot be read, or is not a plain file.
    """
    digest = hashlib.sha256()
    with open_plain(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
