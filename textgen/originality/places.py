"""Find passages in the files that a corpus was read from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from textgen.config import CorpusConfig
from textgen.corpus import Source, clean_chunks, read_text
from textgen.errors import CorpusError


class Place(NamedTuple):
    """Where a passage begins in a file.

    Attributes:
        file: The file's path.
        line: The line, from 1.
    """

    file: str
    line: int


def find_places(
    files: Sequence[str], config: CorpusConfig, passages: Iterable[str]
) -> dict[str, Place]:
    """Return where passages are in files, each in the first file that contains it.

    The files are read and cleaned again as the corpus was, line by line. So a passage is not found
    if its file is gone or has changed, or if it came from markup or an escaped field of a table.

    Args:
        files: Paths. Those that cannot be read any more are skipped.
        config: How the corpus was cleaned.
        passages: Texts of the corpus.
    """
    # Without its tags, a page would have other lines.
    config = dataclasses.replace(config, strip_html=False)
    missing = {passage for passage in passages if passage}
    found: dict[str, Place] = {}
    for file in files:
        if not missing:
            break
        source = Source(Path(file))
        try:
            if source.num_bytes is None:
                continue  # a pipe would wait for its other end
            lines = _find_lines(source, config, missing)
        except CorpusError:
            continue
        found |= {passage: Place(file, line) for passage, line in lines.items()}
        missing -= lines.keys()
    return found


def _find_lines(source: Source, config: CorpusConfig, passages: set[str]) -> dict[str, int]:
    """Return the line in which each passage that a file holds begins, from 1."""
    # A passage may begin in one piece of the text and end in the next one.
    overlap = max(map(len, passages)) - 1
    missing, found = set(passages), {}
    kept, line = "", 1
    for chunk in clean_chunks(read_text(source, config.encoding), config):
        text = kept + chunk
        for passage in sorted(missing):
            at = text.find(passage)
            if at >= 0:
                found[passage] = line + text.count("\n", 0, at)
        missing -= found.keys()
        if not missing:
            break
        end = max(len(text) - overlap, 0)
        line += text.count("\n", 0, end)
        kept = text[end:]
    return found
