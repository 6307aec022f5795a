"""One run at a time writes a model's folder."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from textgen.errors import ModelBusyError

logger = logging.getLogger(__name__)


class RunLock:
    """The right to write a model's folder, which one process at a time has.

    The kernel holds the lock on NAME/train.lock and lets go when the process ends, however it
    ends. As a context manager it is released, if it was acquired, when the block ends.

    Args:
        folder: of the model, which need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "train.lock"
        # A file that stands for a lock by being there would outlive a process that is killed.
        self._lock = FileLock(self._path, blocking=False, fallback_to_soft=False)

    def acquire(self) -> None:
        """Take the lock; it may be taken already by this object.

        Raises:
            ModelBusyError: another run has it.
            OSError: the folder cannot be written.
        """
        if self._lock.is_locked:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise ModelBusyError(
                f"Another run of the model {self._folder.name!r} is going on in {self._folder}; "
                "give this one another --name, or wait."
            ) from None
        except OSError as error:
            if error.filename is not None:
                raise
            # Not to train at all would be worse; some clusters' file systems have no locks.
            logger.warning(
                "%s: the file system cannot lock files (%s). Another run of the same name would "
                "not be noticed.",
                self._path,
                error.strerror,
            )

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._lock.is_locked:
            return
        # Before it is released: whoever has opened the file meanwhile sees that it is gone.
        with contextlib.suppress(OSError):
            self._path.unlink()
            self._folder.rmdir()  # only where it is empty: the name is a new one, the run failed
        self._lock.release()
