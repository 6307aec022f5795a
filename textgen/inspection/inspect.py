"""Reads a corpus as training would, and says what is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from textgen.config import CorpusConfig
from textgen.corpus import SourceTracker, describe, find_files
from textgen.errors import CorpusError
from textgen.inspection.reading import Inspection, Reading


def inspect(
    paths: Sequence[str | os.PathLike[str]],
    config: CorpusConfig | None = None,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
) -> Inspection:
    """Read a corpus as training would, and say what is in it.

    Args:
        paths: Files, folders, globs, or `-` for standard input.
        config: Encoding, cleaning and document split.
        on_bytes: Called with the bytes read so far and the total.

    Raises:
        CorpusError: If no file can be read, or none holds text.

    Example:
        >>> inspect(["poems.txt"]).facts["characters"]
        5460
    """
    config = config or CorpusConfig()
    sources = find_files(paths, encoding=config.encoding)
    tracker = SourceTracker([source.num_bytes for source in sources], on_bytes)
    reading = Reading()
    # Each file by itself, so that one that cannot be read does not hide the others.
    for source in sources:
        reading.read(source, config, tracker)
    if not reading.lengths:
        if reading.unreadable:
            raise CorpusError(reading.unreadable[0])
        raise CorpusError(f"{describe(sources)}: there is no text to inspect.")
    return reading.result(describe(sources), len(sources), config)
