"""Files written whole or not at all: beside their place first, then renamed into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_UNPUBLISHED = ".unpublished."


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` as `replace_atomically` does.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is unchanged.
    """
    with replace_atomically(path) as file:
        file.write(content)


@contextmanager
def replace_atomically(path: Path) -> Iterator[BinaryIO]:
    """Give a file that becomes `path` when the block ends without an error.

    A reader sees the old file or the new one. The bytes reach the disk before the rename
    does, so that a power cut cannot leave an empty file under the final name.

    Yields:
        A new file beside `path`, open for writing. It is removed where the block raises.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is unchanged.
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
    """Give a new folder to write into, which `publish` may move up into `parent`.

    Yields:
        A folder two levels below `parent`, where neither TensorFlow Serving nor the catalog
        looks. What is left of it is removed when the block ends; where the process is killed,
        by the next call for `parent`.

    Raises:
        OSError: the folder cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # Nobody else looks for abandoned folders between the making of this one and its lock.
        with _locked(parent, wait=True):
            _remove_abandoned(parent)
            # The lock is on a folder around the scratch folder, which its writer may make anew.
            holder = Path(tempfile.mkdtemp(prefix=_UNPUBLISHED, dir=parent))
            stack.callback(shutil.rmtree, holder, ignore_errors=True)
            stack.enter_context(_locked(holder))
        scratch = holder / "new"
        scratch.mkdir()
        yield scratch


def publish(scratch: Path, path: Path) -> None:
    """Rename a scratch folder to `path`, where everybody may read it.

    Raises:
        OSError: the folder cannot be written, or `path` exists and is not empty.
    """
    os.chmod(scratch, 0o755)
    os.rename(scratch, path)


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Give a scratch folder that becomes `path` when the block ends without an error.

    Raises:
        OSError: the folder cannot be written, or `path` exists and is not empty.
    """
    with _naming(path), scratch_folder(path.parent) as scratch:
        yield scratch
        publish(scratch, path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name `path` in an error that names no file, as one in writing to an open file does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.strerror:
            error.filename = str(path)
        raise


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unpublished: a model's size each."""
    for holder in folder.glob(f"{_UNPUBLISHED}*"):
        # It may be another user's, or gone by now.
        with contextlib.suppress(OSError), _locked(holder) as is_abandoned:
            if is_abandoned:
                shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Lock a folder for the block; the kernel unlocks it when the process ends, however it does.

    Args:
        folder: to lock.
        wait: until another process unlocks it.

    Yields:
        Whether it is locked: not if it was, nor on a file system without such locks.
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
