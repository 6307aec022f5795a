"""Where bytes come from: files, `.gz` files and standard input."""

from __future__ import annotations

import contextlib
import gzip
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from textgen.corpus.meter import Meter
from textgen.errors import CorpusError

CHUNK_BYTES = 1 << 20
Format = Literal["text", "csv", "tsv", "jsonl"]
_FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@dataclass(frozen=True)
class Source:
    """One file, or standard input.

    Attributes:
        path: the file; `None` for standard input.
    """

    path: Path | None

    @property
    def name(self) -> str:
        """What messages call this source."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def format(self) -> Format:
        """What the name's ending, before any `.gz`, says of the content."""
        if self.path is None:
            return "text"
        return _FORMATS.get(Path(self.path.name.lower().removesuffix(".gz")).suffix, "text")

    @property
    def is_compressed(self) -> bool:
        """Whether the name ends in `.gz`."""
        return self.path is not None and self.path.suffix.lower() == ".gz"

    @property
    def num_bytes(self) -> int | None:
        """Size on disk; `None` for standard input and pipes, which can be read only once.

        Raises:
            CorpusError: there is no such file.
        """
        if self.path is None:
            return None
        try:
            status = self.path.stat()
        except OSError as error:
            raise CorpusError(f"{self.name}: cannot be read ({error.strerror}).") from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def read_chunks(
        self, size: int = CHUNK_BYTES, meter: Meter | None = None, *, decompress: bool = True
    ) -> Iterator[bytes]:
        """Yield the source's bytes in order, decompressed where the name ends in `.gz`.

        Args:
            size: bytes a chunk; the last one may be shorter.
            meter: takes note of the bytes as they lie on disk.
            decompress: whether to decompress at all.

        Returns:
            An iterator over non-empty chunks. Standard input can be read only once.

        Raises:
            CorpusError: the source cannot be opened or read, or its gzip data is damaged.
        """
        try:
            with self._open(meter, decompress) as stream:
                while chunk := stream.read(size):
                    yield chunk
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CorpusError(f"{self.name}: this .gz file is damaged ({error}).") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CorpusError(f"{self.name}: cannot be read ({reason}).") from error

    @contextlib.contextmanager
    def _open(self, meter: Meter | None, decompress: bool) -> Iterator[IO[bytes]]:
        with contextlib.ExitStack() as stack:
            if self.path is None and sys.stdin is None:
                raise CorpusError("standard input: it is closed.")
            # Standard input belongs to the process, so it is not closed here.
            stream: IO[bytes] = (
                sys.stdin.buffer if self.path is None else stack.enter_context(self.path.open("rb"))
            )
            if meter is not None:
                meter.begin(f"{self.format} {self.is_compressed}")
                stream = cast(IO[bytes], _MeteredFile(stream, meter))
            if decompress and self.is_compressed:
                stream = cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=stream)))
            yield stream


class _MeteredFile:
    """A file whose bytes a meter takes note of; offers what `gzip` and `read_chunks` call."""

    def __init__(self, file: IO[bytes], meter: Meter) -> None:
        self._file = file
        self._meter = meter

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._meter.add(data)
        return data


def digest_sources(sources: Sequence[Source], meter: Meter) -> str | None:
    """Return the digest that reading the sources would give, without reading any text.

    Args:
        sources: from `find_files`.
        meter: a new one, over these sources.

    Returns:
        The meter's digest, or `None` where a source can be read only once.

    Raises:
        CorpusError: a source cannot be read.
    """
    if meter.total is None:
        return None
    for source in sources:
        for _ in source.read_chunks(meter=meter, decompress=False):
            pass
    return meter.digest
