"""Where bytes come from: files, folders, globs, `.gz` and standard input."""

from __future__ import annotations

import codecs
import contextlib
import glob
import gzip
import logging
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from textgen.corpus.encoding import check_encoding
from textgen.errors import CorpusError

STANDARD_INPUT = "-"
CHUNK_BYTES = 1 << 20
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

    def read_chunks(self, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the source's bytes in order, decompressed where the name ends in `.gz`.

        Args:
            size: bytes a chunk; the last one may be shorter.

        Returns:
            An iterator over non-empty chunks. Standard input can be read only once.

        Raises:
            CorpusError: the source cannot be opened or read, or its gzip data is damaged.
        """
        try:
            with self._open() as stream:
                while chunk := stream.read(size):
                    yield chunk
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CorpusError(f"{self.name}: this .gz file is damaged ({error}).") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise CorpusError(f"{self.name}: cannot be read ({reason}).") from error

    def _open(self) -> contextlib.AbstractContextManager[IO[bytes] | gzip.GzipFile]:
        if self.path is None:
            # Standard input belongs to the process, so it is not closed here.
            return contextlib.nullcontext(sys.stdin.buffer)
        if self.path.suffix.lower() == ".gz":
            return gzip.open(self.path, "rb")
        return self.path.open("rb")


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
    found: dict[str, Source] = {}
    for path in paths:
        for source in _expand(os.fspath(path), may_hold_nul):
            # The real path, so that a link to a file does not count it twice.
            key = STANDARD_INPUT if source.path is None else os.path.realpath(source.path)
            found.setdefault(key, source)
    return list(found.values())


def _expand(path: str, may_hold_nul: bool) -> list[Source]:
    if path == STANDARD_INPUT:
        return [Source(None)]
    if os.path.isdir(path):
        return _search_folder(Path(path), may_hold_nul)
    if os.path.exists(path):
        return [Source(Path(path))]
    if glob.has_magic(path):
        matches = sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
        if not matches:
            raise CorpusError(f"No file matches {path!r}.")
        return [Source(Path(match)) for match in matches]
    raise CorpusError(f"No such file or folder: {path!r}.")


def _search_folder(folder: Path, may_hold_nul: bool) -> list[Source]:
    files: list[Path] = []
    for parent, subfolders, names in os.walk(folder, onerror=_raise_unsearchable):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        here = Path(parent)
        files += [here / name for name in names if not name.startswith(".")]
    # Sorted by parts, so that the order does not depend on how the file system lists a folder.
    files.sort(key=lambda file: file.relative_to(folder).parts)
    sources: list[Source] = []
    for source in (Source(file) for file in files if file.is_file()):
        if not may_hold_nul and _looks_binary(source):
            _logger.warning("Skipped %s: it looks like a binary file.", source.name)
        else:
            sources.append(source)
    if not sources:
        raise CorpusError(f"The folder {str(folder)!r} holds no text file.")
    return sources


def _raise_unsearchable(error: OSError) -> NoReturn:
    # os.walk leaves an unreadable folder out silently; a corpus with a hole is worse than none.
    raise CorpusError(f"{error.filename}: cannot be searched ({error.strerror}).") from error


def _looks_binary(source: Source) -> bool:
    head = next(source.read_chunks(_SNIFFED_BYTES), b"")
    # A UTF-16 text is kept, so that reading it names the encoding to ask for.
    return b"\0" in head and not head.startswith(_WIDE_MARKS)
