"""Write files atomically, and read files that another program may have written.

A file is written to a temporary path and then renamed into place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_UNPUBLISHED = ".unpublished."

# The largest file textgen writes as JSON is a tokenizer's, of a few megabytes.
_MAX_JSON_BYTES = 1 << 26
# 64-bit integers have 20 characters at most, with their sign.
_MAX_DIGITS = 20
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading if it is a plain one: not a link, pipe or device.

    Raises:
        OSError: If the file cannot be read or is not a plain file.
    """
    # Without O_NONBLOCK, opening a pipe would wait for its writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_plain(path) from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_plain(path)
        yield file


def read_lines(path: Path, max_bytes: int) -> list[str]:
    """Return the first lines of a file that another program may have written.

    Args:
        path: The file. One that cannot be read, or is not a plain one, has no lines.
        max_bytes: How much of it is read at most.
    """
    try:
        with open_plain(path) as file:
            return file.read(max_bytes).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _not_plain(path: Path) -> OSError:
    return OSError(errno.EINVAL, "It is not a plain file", str(path))


def read_json(path: Path) -> Any:
    """Read a JSON file that another program may have written.

    Returns:
        The value. Its strings are Unicode text, and its integers have 64 bits.

    Raises:
        OSError: If the file cannot be read or is not a plain file.
        ValueError: If it is too large, not JSON, or nested too deeply, or contains a number
            or a string that textgen does not write.
    """
    with open_plain(path) as file:
        content = file.read(_MAX_JSON_BYTES + 1)
    if len(content) > _MAX_JSON_BYTES:
        raise ValueError(f"it is larger than {_MAX_JSON_BYTES} bytes")
    text = content.decode("utf-8")
    try:
        value = json.loads(text, parse_int=_read_int)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # raises for a lone surrogate
    return value


def _read_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` as `replace_atomically` does.

    Raises:
        OSError: If the folder cannot be written or the disk is full; `path` is unchanged.
    """
    with replace_atomically(path) as file:
        file.write(content)


@contextmanager
def replace_atomically(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` when the block ends without an error.

    Other processes see the old file or the new one. The bytes reach the disk before the
    rename does, so that a power cut cannot leave an empty file under the final name.

    Yields:
        A new file next to `path`, open for writing. It is removed if the block raises.

    Raises:
        OSError: If the folder cannot be written or the disk is full; `path` is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with _naming(path), os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder to write into, which `publish` may move up into `parent`.

    Yields:
        A folder two levels below `parent`, where neither TensorFlow Serving nor the catalog
        looks. Its remains are removed when the block ends or, if the process is killed, by
        the next call for `parent`. If the block raises, so are the parents made for it.

    Raises:
        OSError: If the folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_parents(parent))
        # No other process looks for abandoned folders before this one is locked.
        with _locked(parent, wait=True):
            _remove_abandoned(parent)
            # The lock is on a folder around the scratch folder, which its writer may replace.
            holder = Path(tempfile.mkdtemp(prefix=_UNPUBLISHED, dir=parent))
            stack.callback(shutil.rmtree, holder, ignore_errors=True)
            stack.enter_context(_locked(holder))
        scratch = holder / "new"
        scratch.mkdir()
        yield scratch


def publish(scratch: Path, path: Path) -> None:
    """Rename a scratch folder to `path`, and let all users read it.

    Raises:
        OSError: If the folder cannot be written, or `path` exists and is not empty.
    """
    os.chmod(scratch, 0o755)
    os.rename(scratch, path)


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes `path` when the block ends without an error.

    Raises:
        OSError: If the folder cannot be written, or `path` exists and is not empty.
    """
    with _naming(path), scratch_folder(path.parent) as scratch:
        yield scratch
        publish(scratch, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name `path` in errors that name no file, such as those of writing to an open file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.strerror:
            error.filename = str(path)
        raise


@contextmanager
def _parents(folder: Path) -> Iterator[None]:
    """Make a folder with its parents, and remove the new ones if the block raises."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in missing:
            # Another process may have written into it.
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unpublished, each as large as a model."""
    for holder in folder.glob(f"{_UNPUBLISHED}*"):
        # It may belong to another user, or be gone by now.
        with contextlib.suppress(OSError), _locked(holder) as is_abandoned:
            if is_abandoned:
                shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Lock a folder for the block; the kernel unlocks it however the process ends.

    Args:
        folder: The folder to lock.
        wait: Whether to wait until another process unlocks it.

    Yields:
        Whether it is locked: `False` if another process holds the lock, or if the file system
        has no locks.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        is_locked = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            is_locked = False
        yield is_locked
    finally:
        os.close(descriptor)
