"""Where bytes come from: files, folders, globs, `.gz` and standard input."""

from __future__ import annotations

import codecs
import contextlib
import glob
import gzip
import logging
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from textgen.corpus.encoding import check_encoding
from textgen.corpus.meter import Meter
from textgen.errors import CorpusError

STANDARD_INPUT = "-"
CHUNK_BYTES = 1 << 20
Format = Literal["text", "csv", "tsv", "jsonl"]
_FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_SNIFFED_BYTES = 8192
# A UTF-32-LE mark begins with the UTF-16-LE one, so these two cover both little-endian forms.
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

_logger = logging.getLogger(__name__)


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


def find_files(paths: Sequence[str | os.PathLike[str]], *, encoding: str = "utf-8") -> list[Source]:
    """Expand files, folders, globs and `-` into the sources to read.

    A folder is searched recursively, in the order of its files' relative paths; hidden files and
    folders, links to folders, and files that look binary are left out. A glob (`**` included)
    matches files only, in sorted order. A path that exists is never taken for a glob.

    Args:
        paths: names of files, folders or globs, or `-` for standard input.
        encoding: the encoding the files will be read with. Wide encodings (UTF-16, UTF-32) are
            full of NUL bytes, so with one of them no file in a folder is taken for binary.

    Returns:
        The sources in the order of `paths`, each file once, where it was first met.

    Raises:
        ConfigError: Python knows no text encoding of that name.
        CorpusError: a file is missing, a glob matches nothing, a folder holds no text file or
            cannot be searched, or `paths` is empty.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]  # A bare string is a sequence too, of one-letter paths nobody meant.
    if not paths:
        raise CorpusError("A corpus needs at least one file, folder, glob or - (standard input).")
    may_hold_nul = check_encoding(encoding).startswith(("utf-16", "utf-32"))
    found: dict[object, Source] = {}
    for path in paths:
        for source in _expand(os.fspath(path), may_hold_nul):
            found.setdefault(_identity(source), source)
    return list(found.values())


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


def _identity(source: Source) -> object:
    """What two names of one file share, so that a link to a file does not count it twice."""
    if source.path is None:
        return STANDARD_INPUT
    status = os.stat(source.path)
    # Some file systems number no files.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(source.path)


def _expand(path: str, may_hold_nul: bool) -> list[Source]:
    if path == STANDARD_INPUT:
        return [Source(None)]
    if os.path.isdir(path):
        return _search_folder(path, may_hold_nul)
    if os.path.exists(path):
        return [Source(Path(path))]
    if glob.has_magic(path):
        matches = sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
        if not matches:
            raise CorpusError(f"No file matches {path!r}.")
        return [Source(Path(match)) for match in matches]
    raise CorpusError(f"No such file or folder: {path!r}.")


def _search_folder(folder: str, may_hold_nul: bool) -> list[Source]:
    sources: list[Source] = []
    for source in (Source(Path(file)) for file in _files_below(folder)):
        if not may_hold_nul and _looks_binary(source):
            _logger.warning("Skipped %s: it looks like a binary file.", source.name)
        else:
            sources.append(source)
    if not sources:
        raise CorpusError(f"The folder {folder!r} holds no text file.")
    return sources


def _files_below(folder: str) -> Iterator[str]:
    """Yield the files of a folder in the order of their relative paths."""
    try:
        with os.scandir(folder) as entries:
            # Sorted, so that the order does not depend on how the file system lists a folder.
            visible = sorted(
                (entry for entry in entries if not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        # Not left out silently: a corpus with a hole is worse than none.
        raise CorpusError(f"{folder}: cannot be searched ({error.strerror}).") from error
    for entry in visible:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(entry.path)
        elif entry.is_file():
            yield entry.path


def _looks_binary(source: Source) -> bool:
    head = next(source.read_chunks(_SNIFFED_BYTES), b"")
    # A UTF-16 text is kept, so that reading it names the encoding to ask for.
    return b"\0" in head and not head.startswith(_WIDE_MARKS)
