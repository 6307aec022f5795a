"""The ids of the words met so far: a text has few different words, and merges them again and again.

Looking a word up takes a third of the time of merging its bytes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

# Then all are forgotten: some hundred bytes each, and a text may go on with new ones for ever.
_MOST_WORDS = 2**20


class Lexicon:
    """Remembers how words are encoded.

    Args:
        encode: returns the ids of each of some words.
    """

    def __init__(self, encode: Callable[[list[str]], Iterable[Sequence[int]]]) -> None:
        self._encode = encode
        self._forget()

    def _forget(self) -> None:
        self._numbers = _Numbers()
        self._lengths = np.zeros(0, np.int64)
        self._starts = np.zeros(0, np.int64)
        self._ids = np.zeros(0, np.int32)  # of all words, one after the other

    def look_up(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of all words, int32[N], and how many each of them has, int64[W]."""
        if len(self._numbers) > _MOST_WORDS:
            self._forget()
        numbers = np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))
        self._learn(self._numbers.take_new())
        lengths = self._lengths[numbers]
        # Each id's place: where its word starts, plus its own place in the word.
        places = np.repeat(self._starts[numbers] - (np.cumsum(lengths) - lengths), lengths)
        places += np.arange(len(places))
        return self._ids[places], lengths

    def _learn(self, words: list[str]) -> None:
        if words:
            ids = [np.asarray(each, np.int32) for each in self._encode(words)]
            self._ids = np.concatenate([self._ids, *ids])
            self._lengths = np.concatenate([self._lengths, [len(each) for each in ids]])
            self._starts = np.cumsum(self._lengths) - self._lengths


class _Numbers(dict[str, int]):
    """Numbers words in the order in which they are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[str] = []

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        self._new.append(word)
        return number

    def take_new(self) -> list[str]:
        """Return the words that were numbered since the last call."""
        new, self._new = self._new, []
        return new
