"""SHA-256 digests of a folder's files, kept in the folder, so that damage to a file is noticed.

They prove that a file is what textgen wrote, not who wrote it: anyone who can change a file can
change its digest, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from textgen.files import open_plain, read_json, write_atomically

DIGESTS_NAME = "digests.json"
_BLOCK_BYTES = 1 << 20


class DigestError(ValueError):
    """A file is not the one that was written."""


def digest_json(value: object) -> str:
    """Return the SHA-256 of a JSON value in hexadecimal, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a plain file in hexadecimal; 2 GB take one to five seconds.

    Raises:
        OSError: If the file cannot be read or is not a plain file.
    """
    digest = hashlib.sha256()
    with open_plain(path) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def record_digests(folder: Path, record: Path) -> None:
    """Write the digests of all files in a folder.

    Args:
        folder: The folder, whose files will not change any more.
        record: The file to write them to, which may be in the folder.

    Raises:
        OSError: If a file cannot be read, or the record cannot be written.
    """
    digests = {name: digest_file(path) for name, path in _files(folder, record).items()}
    write_atomically(record, (json.dumps(digests, indent=2, sort_keys=True) + "\n").encode())


def check_digests(folder: Path, record: Path, names: Iterable[str] | None = None) -> None:
    """Check that files are those whose digests were recorded.

    Args:
        folder: The folder.
        record: What `record_digests` wrote.
        names: The files to check, relative to the folder. Defaults to all: none may be missing
            or superfluous.

    Raises:
        DigestError: If a file differs, or the record is damaged.
        OSError: If a file cannot be read; `FileNotFoundError` if there is no record.
    """
    try:
        digests = read_json(record)
    except ValueError as error:
        raise DigestError(f"{record.name} is damaged ({error})") from None
    if not isinstance(digests, dict):
        raise DigestError(f"{record.name} is damaged")
    if names is None:
        names = {*_files(folder, record), *digests}
    for name in sorted(names):
        if name not in digests:
            raise DigestError(f"{name} is not among the files that were written")
        if not _is_inside(folder, name):
            raise DigestError(f"{name} is missing")
        if digest_file(folder / name) != digests[name]:
            raise DigestError(f"{name} has changed since it was written")


def _files(folder: Path, record: Path) -> dict[str, Path]:
    """Return the files of a folder but the record, by their relative names."""
    found = (path for path in folder.rglob("*") if not path.is_dir() and path != record)
    return {path.relative_to(folder).as_posix(): path for path in found}


def _is_inside(folder: Path, name: str) -> bool:
    """Return whether a name, which a record may have made up, is that of a file in the folder."""
    return (
        ".." not in Path(name).parts and (folder / name).is_file() and not Path(name).is_absolute()
    )
