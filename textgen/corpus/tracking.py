"""How much of the sources has been read: a byte count and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable


class SourceTracker:
    """Counts and digests the bytes of files while they are read.

    The digest covers the bytes that were actually read, so it cannot describe another version
    of a file that someone writes to meanwhile.

    Args:
        sizes: File sizes in bytes; `None` for pipes and standard input.
        on_bytes: Called with the bytes read so far and the total, which is `None` if unknown.

    Example:
        >>> tracker = SourceTracker([3])
        >>> tracker.begin_file("text")
        >>> tracker.add(b"abc")
        >>> tracker.digest[:8]
        'fe133ccd'
    """

    def __init__(
        self,
        sizes: Iterable[int | None],
        on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
    ) -> None:
        self.total: int | None = 0
        for size in sizes:
            self.total = None if size is None or self.total is None else self.total + size
        self._on_bytes = on_bytes
        self._done = 0
        self._finished = hashlib.sha256()
        self._file = hashlib.sha256()

    def begin_file(self, kind: str) -> None:
        """Begin the next file.

        Args:
            kind: How its bytes will be interpreted, which is part of the digest.
        """
        self._finished.update(self._file.digest())
        self._file = hashlib.sha256(kind.encode() + b"\n")

    def add(self, data: bytes) -> None:
        """Add the next bytes of the file."""
        self._file.update(data)
        self._done += len(data)
        self._on_bytes(self._done, self.total)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of all files so far: their kinds, contents and order."""
        sha = self._finished.copy()
        sha.update(self._file.digest())
        return sha.hexdigest()
