"""Paths to sources: files, folders, globs and `-`."""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from textgen.config import CorpusConfig
from textgen.corpus.detection import binary_kind, utf_16_without_mark
from textgen.corpus.encoding import check_encoding
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source
from textgen.errors import ConfigError, CorpusError

STANDARD_INPUT = "-"
_SNIFFED_BYTES = 8192
# The UTF-32-LE mark begins with the UTF-16-LE one.
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def find_files(
    paths: Sequence[str | os.PathLike[str]],
    *,
    encoding: str = "utf-8",
    leave_out: str | os.PathLike[str] | None = None,
) -> list[Source]:
    """Expand files, folders, globs and `-` into the sources to read.

    A folder is searched recursively, in the order of its files' relative paths. Hidden files and
    folders, links to folders, and files that look binary are skipped. A glob (including `**`)
    matches only files, in sorted order. A path that exists is never treated as a glob.

    Args:
        paths: Names of files, folders or globs, or `-` for standard input.
        encoding: The encoding of the files. With a wide encoding (UTF-16, UTF-32), which is full
            of NUL bytes, no file in a folder looks binary.
        leave_out: The models folder, which need not exist. It is often inside a folder of
            texts, and is skipped there.

    Returns:
        The sources in the order of `paths`, each file once, at its first position.

    Raises:
        ConfigError: If Python has no text encoding of that name.
        CorpusError: If a file is missing, a glob matches nothing, a folder holds no text file or
            cannot be searched, or `paths` is empty or only the folder to leave out.

    Example:
        >>> find_files(["poems", "letters/*.txt", "-"])[-1].name
        'standard input'
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]  # A bare string is also a sequence, of one-letter paths.
    if not isinstance(paths, Iterable):
        raise CorpusError(f"A corpus must be a list of files or folders. Received: {paths!r}")
    if not paths:
        raise CorpusError("A corpus needs at least one file, folder, glob or - (standard input).")
    may_hold_nul = check_encoding(encoding).startswith(("utf-16", "utf-32"))
    search = _Search(may_hold_nul, leave_out)
    found: dict[object, Source] = {}
    for path in paths:
        for source in search.expand(os.fspath(path)):
            found.setdefault(_identity(source), source)
    search.notices.warn()
    if not found:
        raise CorpusError(f"A corpus must not be the models folder. Received: {str(leave_out)!r}")
    return list(found.values())


def find_parts(
    paths: Sequence[str | os.PathLike[str]],
    others: Mapping[str, Sequence[str | os.PathLike[str]]],
    config: CorpusConfig,
    leave_out: Path | None = None,
) -> tuple[list[Source], dict[str, list[Source]]]:
    """Find the files of a corpus and of its other parts.

    Args:
        paths: The corpus; see `find_files`.
        others: The paths of other parts, by the names of `read_corpus`'s arguments. A part
            without paths is left out.
        config: The encoding, and the fraction that is kept for validation.
        leave_out: Folder to skip; see `find_files`.

    Returns:
        The files of the corpus, and those of each other part.

    Raises:
        ConfigError: If there are files to validate with and a fraction.
        CorpusError: See `find_files`.
    """
    if others.get("validation") and config.validation_split is not None:
        raise ConfigError(
            "validation_split cannot be combined with files to validate with. "
            f"Received: {config.validation_split}"
        )

    def find(paths: Sequence[str | os.PathLike[str]]) -> list[Source]:
        return find_files(paths, encoding=config.encoding, leave_out=leave_out)

    return find(paths), {name: find(group) for name, group in others.items() if group}


def _identity(source: Source) -> object:
    """Return what two names of one file share, so that a link does not count it twice."""
    return STANDARD_INPUT if source.path is None else _identity_of(source.path)


def _identity_of(path: str | os.PathLike[str]) -> object:
    status = os.stat(path)
    # Some file systems do not number their files.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


class _Search:
    """Turns paths into sources.

    Args:
        may_hold_nul: Whether files with NUL bytes are text.
        leave_out: A folder to skip, which need not exist.
    """

    def __init__(self, may_hold_nul: bool, leave_out: str | os.PathLike[str] | None) -> None:
        self.notices = Notices()
        self._may_hold_nul = may_hold_nul
        self._left_out = None
        if leave_out is not None and os.path.isdir(leave_out):
            self._left_out = _identity_of(leave_out)

    def expand(self, path: str) -> list[Source]:
        if path == STANDARD_INPUT:
            return [Source(None)]
        if os.path.isdir(path):
            return [] if self._is_left_out(path) else self._search(path)
        if os.path.exists(path):
            return [Source(Path(path))]
        if glob.has_magic(path):
            matches = sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))
            if not matches:
                raise CorpusError(f"No file matches {path!r}.")
            return [Source(Path(match)) for match in matches]
        raise CorpusError(f"No such file or folder: {path!r}.")

    def _is_left_out(self, folder: str) -> bool:
        return self._left_out is not None and _identity_of(folder) == self._left_out

    def _search(self, folder: str) -> list[Source]:
        sources: list[Source] = []
        for source in (Source(Path(file)) for file in self._files_below(folder)):
            if not self._may_hold_nul and _looks_binary(source):
                self.notices.add("Skipped binary files", source.name)
            else:
                sources.append(source)
        if not sources:
            raise CorpusError(f"The folder {folder!r} contains no text file.")
        return sources

    def _files_below(self, folder: str) -> Iterator[str]:
        """Yield the files of a folder in the order of their relative paths."""
        try:
            with os.scandir(folder) as entries:
                # Sorted, so that the order does not depend on the file system.
                visible = sorted(
                    (entry for entry in entries if not entry.name.startswith(".")),
                    key=lambda entry: entry.name,
                )
        except OSError as error:
            # Not skipped: a corpus with a hole is worse than none.
            raise CorpusError(f"{folder}: cannot be searched ({error.strerror}).") from error
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):
                if not self._is_left_out(entry.path):
                    yield from self._files_below(entry.path)
            elif os.path.isfile(entry.path):
                yield entry.path
            elif entry.is_symlink() and not os.path.exists(entry.path):
                self.notices.add("Skipped broken links", entry.path)


def _looks_binary(source: Source) -> bool:
    head = next(source.read_chunks(_SNIFFED_BYTES), b"")
    if binary_kind(head):
        return True
    # A UTF-16 text is kept, so that the error for its bytes can name the right encoding.
    return b"\0" in head and not head.startswith(_WIDE_MARKS) and not utf_16_without_mark(head)
