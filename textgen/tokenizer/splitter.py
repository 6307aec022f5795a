"""Cutting texts into words; no BPE merge crosses a word's end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from textgen.errors import TokenizerError
from textgen.unicode import encode_unicode

_PART_CHARACTERS = 2**12


class WordSplitter:
    """Cuts texts into words, by regular expressions that list their characters.

    Args:
        pattern: Matches word after word. Every character is part of a word.
        seam: Matches up to a character after which a word starts, whatever follows.

    Example:
        >>> WordSplitter("[a-z]+|[^a-z]", "[^a-z]").words("to be")
        ['to', ' ', 'be']
    """

    def __init__(self, pattern: str, seam: str) -> None:
        self.pattern = pattern
        self._seam = seam

    # Both are slow to compile, so not before they are needed.
    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _compiled_seam(self) -> re.Pattern[str]:
        return re.compile(self._seam)

    def words(self, text: str) -> list[str]:
        """Cut a text into words, whose concatenation is the text."""
        return self._compiled.findall(text)

    def parts(self, text: str) -> Iterator[str]:
        """Cut a long text between words into parts of about 4 thousand characters.

        A part is longer only if no seam follows.

        Raises:
            TokenizerError: If the text holds a lone surrogate.
        """
        encode_unicode(text, TokenizerError)  # for its check
        start = 0
        while start < len(text):
            seam = self._compiled_seam.search(text, start + _PART_CHARACTERS)
            end = seam.end() if seam else len(text)
            yield text[start:end]
            start = end


def members(kinds: Sequence[tuple[int, int]], wanted: int) -> str:
    """Return the characters of a kind as the inside of a regular expression's brackets.

    Args:
        kinds: The first code point of each range, in order and from 0, and the kind up to the
            next.
        wanted: The kind.

    Example:
        >>> members([(0, 1), (97, 0), (123, 1)], 0)
        'a-z'
    """
    ends = [start - 1 for start, _ in kinds[1:]] + [0x10FFFF]
    ranges = (
        "-".join(re.escape(chr(point)) for point in (start, end))
        for (start, kind), end in zip(kinds, ends, strict=True)
        if kind == wanted
    )
    return "".join(ranges) or "^\0-\U0010ffff"
