"""The passages of a text that are also in a corpus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from textgen.errors import ConfigError
from textgen.originality.corpus_index import CorpusIndex

# Shorter passages are common phrases of the language.
MIN_CHARACTERS = 20


class Passage(NamedTuple):
    """A passage that is also in the corpus, as long as it can be.

    Attributes:
        start: Its first character in the text.
        end: The character after its last.
        line: The line of the corpus in which it begins, from 1.
    """

    start: int
    end: int
    line: int

    @property
    def length(self) -> int:
        """Its number of characters."""
        return self.end - self.start


class Trace(NamedTuple):
    """The passages of a text that are also in a corpus.

    Attributes:
        text: The text.
        passages: The copied passages, in order; they may overlap.
    """

    text: str
    passages: tuple[Passage, ...]

    def quote(self, passage: Passage) -> str:
        """Return the text of a passage."""
        return self.text[passage.start : passage.end]

    @property
    def longest(self) -> int:
        """Characters of the longest copy; 0 if there is none."""
        return max((passage.length for passage in self.passages), default=0)

    @property
    def fraction(self) -> float:
        """The fraction of the characters that are copied."""
        covered = {i for passage in self.passages for i in range(passage.start, passage.end)}
        return len(covered) / max(len(self.text), 1)


def trace(index: CorpusIndex, text: str, min_characters: int = MIN_CHARACTERS) -> Trace:
    """Find every passage of a text that is also in the corpus.

    Args:
        index: The corpus.
        text: The text.
        min_characters: The length from which a passage counts, >= 1.

    Raises:
        ConfigError: If `min_characters` is out of range.

    Example:
        >>> index = CorpusIndex.of(b"It was a dark and stormy night")
        >>> trace(index, "She wrote: a dark and stormy night.").passages
        (Passage(start=11, end=34, line=1),)
    """
    if min_characters < 1:
        raise ConfigError(f"min_characters must be an integer >= 1. Received: {min_characters}")

    def stands(start: int, end: int) -> bool:
        return index.find(text[start:end].encode("utf-8", "replace")) is not None

    def end_stands(end: int, start: int) -> bool:
        return stands(start, end)

    def is_new(start: int, end: int) -> bool:
        return not stands(start, end)

    passages = []
    start = 0
    while start + min_characters <= len(text):
        end = start + min_characters
        if not stands(start, end):
            # The window's longest end in the corpus begins the next one that may stand there.
            start = _first(start + 1, end, partial(end_stands, end))
            continue
        after = _first(end + 1, len(text) + 1, partial(is_new, start))
        end = after - 1
        position = index.find(text[start:end].encode("utf-8", "replace")) or 0
        passages.append(Passage(start, end, index.line_of(position)))
        if end == len(text):
            break
        # The next passage reaches beyond this one, so it begins with the first such start.
        start = _first(start + 1, end + 1, partial(end_stands, end + 1))
        start = min(start, end + 1)
    return Trace(text, tuple(passages))


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the first integer in [low, high) for which a condition holds, else `high`.

    Once it holds, it must hold for all larger ones. Steps double from `low`, because the answer
    is usually near.
    """
    step = 1
    while low + step < high and not holds(low + step - 1):
        low += step
        step *= 2
    end = min(low + step, high)
    while low < end:
        middle = (low + end) // 2
        if holds(middle):
            end = middle
        else:
            low = middle + 1
    return low
