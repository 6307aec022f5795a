"""Where bytes come from: files, `.gz` files and standard input."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Literal, cast

from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError

CHUNK_BYTES = 1 << 20
Format = Literal["text", "csv", "tsv", "jsonl", "json"]
_FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
# A .json file is a table if it is an array of objects or strings, or an object per line.
_JSON_ARRAY = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*["{]')
_JSON_LINES = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{[^\n]*\}\r?\n\s*\{"')


@dataclass(frozen=True)
class Source:
    """One file, or standard input.

    Attributes:
        path: The file; `None` for standard input.
    """

    path: Path | None

    @property
    def name(self) -> str:
        """The name used in messages."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def stem(self) -> str:
        """The file's name without its extensions, as Unicode text."""
        if self.path is None:
            return self.name
        stem = Path(self.path.name.removesuffix(".gz")).stem
        return os.fsencode(stem).decode(errors="replace")

    @property
    def format(self) -> Format:
        """The format that the file name's extension, before any `.gz`, stands for.

        Raises:
            CorpusError: If a .json file cannot be read.
        """
        if self.path is None:
            return "text"
        extension = Path(self.path.name.lower().removesuffix(".gz")).suffix
        return self._json_format if extension == ".json" else _FORMATS.get(extension, "text")

    @cached_property
    def _json_format(self) -> Format:
        """The format of a .json file; some are tables, others texts like any other."""
        if self.num_bytes is None:
            return "text"  # a pipe can be read only once
        head = next(self.read_chunks(), b"")
        if _JSON_ARRAY.match(head):
            return "json"
        return "jsonl" if _JSON_LINES.match(head) else "text"

    @property
    def is_compressed(self) -> bool:
        """Whether the name ends in `.gz`."""
        return self.path is not None and self.path.suffix.lower() == ".gz"

    @property
    def num_bytes(self) -> int | None:
        """Size on disk; `None` for standard input and pipes, which can be read only once.

        Raises:
            CorpusError: If there is no such file.
        """
        if self.path is None:
            return None
        try:
            status = self.path.stat()
        except OSError as error:
            raise CorpusError(f"{self.name}: cannot be read ({error.strerror}).") from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def read_chunks(
        self,
        size: int = CHUNK_BYTES,
        tracker: SourceTracker | None = None,
        *,
        decompress: bool = True,
    ) -> Iterator[bytes]:
        """Yield the source's bytes in order, decompressed if the name ends in `.gz`.

        Args:
            size: Bytes per chunk. The last chunk may be shorter.
            tracker: Counts the bytes as they are on disk.
            decompress: Whether to decompress `.gz` files.

        Returns:
            An iterator over non-empty chunks. Standard input can be read only once.

        Raises:
            CorpusError: If the source cannot be opened or read, or its gzip data is damaged.
        """
        try:
            with self._open(tracker, decompress) as stream:
                while chunk := stream.read(size):
                    yield chunk
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CorpusError(f"{self.name}: this .gz file is damaged ({error}).") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CorpusError(f"{self.name}: cannot be read ({reason}).") from error

    @contextlib.contextmanager
    def _open(self, tracker: SourceTracker | None, decompress: bool) -> Iterator[IO[bytes]]:
        with contextlib.ExitStack() as stack:
            if self.path is None and sys.stdin is None:
                raise CorpusError("standard input: it is closed.")
            # Standard input belongs to the process, so it is not closed here.
            stream: IO[bytes] = (
                sys.stdin.buffer if self.path is None else stack.enter_context(self.path.open("rb"))
            )
            if tracker is not None:
                tracker.begin_file(f"{self.format} {self.is_compressed}")
                stream = cast(IO[bytes], _TrackedFile(stream, tracker))
            if decompress and self.is_compressed:
                stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
            yield stream


class _TrackedFile:
    """A file that reports its bytes; it has the methods that `gzip` and `read_chunks` call."""

    def __init__(self, file: IO[bytes], tracker: SourceTracker) -> None:
        self._file = file
        self._tracker = tracker

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._tracker.add(data)
        return data


def file_names(sources: Sequence[Source]) -> tuple[str, ...]:
    """Return the absolute paths of the sources that are files, and can be read again."""
    return tuple(
        str(source.path.absolute())
        for source in sources
        if source.path is not None and source.num_bytes is not None
    )


def digest_sources(
    sources: Sequence[Source],
    tracker: SourceTracker,
    *,
    validation: Sequence[Source] = (),
    test: Sequence[Source] = (),
    replay: Sequence[Source] = (),
) -> str | None:
    """Compute the digest of the sources without decoding any text.

    Args:
        sources: From `find_files`.
        tracker: A new tracker of all sources.
        validation: As for `read_corpus`.
        test: As for `read_corpus`.
        replay: As for `read_corpus`.

    Returns:
        The tracker's digest after reading the sources, or `None` if one can be read only once.

    Raises:
        CorpusError: If a source cannot be read.
    """
    if tracker.total is None:
        return None
    groups = {"": sources, "validation": validation, "test": test, "replay": replay}
    for name, group in groups.items():
        if group and name:
            tracker.begin_file(name)
        for source in group:
            for _ in source.read_chunks(tracker=tracker, decompress=False):
                pass
    return tracker.digest
