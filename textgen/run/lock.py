"""One run at a time writes to a model's folder."""

from __future__ import annotations

import contextlib
import logging
from types import TracebackType

from filelock import FileLock, Timeout

from textgen.errors import ModelBusyError
from textgen.run.folder import ModelRuns

logger = logging.getLogger(__name__)


class RunLock:
    """The right to write to a model's folder, which one process at a time holds.

    The kernel holds the lock and releases it when the process ends, however it ends. As a
    context manager, the lock is released at the end of the block if it was acquired.

    Args:
        runs: The model's runs; the folder need not exist.

    Example:
        >>> with RunLock(ModelRuns(Path("saved_models/mine"))) as lock:
        ...     lock.acquire()
    """

    def __init__(self, runs: ModelRuns) -> None:
        self._runs = runs
        # A file that is a lock by existing would outlive a process that is killed.
        self._lock = FileLock(runs.lock, blocking=False, fallback_to_soft=False)

    def acquire(self) -> None:
        """Take the lock. Taking it twice is no error.

        Raises:
            ModelBusyError: If another run holds it.
            OSError: If the folder cannot be written.
        """
        if self._lock.is_locked:
            return
        self._runs.model_folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise ModelBusyError(
                f"Another run of the model {self._runs.name!r} is in progress in "
                f"{self._runs.model_folder}. Wait for it to end, or give this one another name."
            ) from None
        except OSError as error:
            if error.filename is not None:
                raise
            # Some clusters' file systems have no locks. Refusing to train would be worse.
            logger.warning(
                "%s: the file system cannot lock files (%s). Another run of the same name would "
                "not be noticed.",
                self._runs.lock,
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
        # Before the release, so that a process that opens the file meanwhile notices.
        with contextlib.suppress(OSError):
            self._runs.lock.unlink()
            # Only empty if the first run of a new name failed.
            self._runs.model_folder.rmdir()
        self._lock.release()
