"""What was read so far: how many bytes, and a digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable


class Meter:
    """Takes note of files while they are read.

    The digest is taken of the very bytes that were read, so it cannot belong to another state
    of a file that somebody writes to meanwhile.

    Args:
        sizes: bytes of each file; `None` where nobody can know.
        on_bytes: is told the bytes read so far and in all, where known.
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

    def begin(self, kind: str) -> None:
        """Begin the next file.

        Args:
            kind: how its bytes will be understood, which is part of the digest.
        """
        self._finished.update(self._file.digest())
        self._file = hashlib.sha256(kind.encode() + b"\n")

    def add(self, data: bytes) -> None:
        """Take note of the next bytes of the file."""
        self._file.update(data)
        self._done += len(data)
        self._on_bytes(self._done, self.total)

    @property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of the files so far: of their kinds, contents and order."""
        sha = self._finished.copy()
        sha.update(self._file.digest())
        return sha.hexdigest()
