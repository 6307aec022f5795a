"""Wrap a text at words while it arrives in chunks."""

from __future__ import annotations

import unicodedata

_TAB = 8


class WordWrapper:
    """Breaks lines at spaces, so that no word is split at a terminal's edge.

    A word is held back until it is complete, because only then its line is known.

    Args:
        width: Columns of the terminal.

    Example:
        >>> wrapper = WordWrapper(width=10)
        >>> wrapper.feed("Once upo") + wrapper.feed("n a time") + wrapper.flush()
        'Once upon\\na time'
    """

    def __init__(self, width: int) -> None:
        self._width = max(width, 1)
        self._column = 0
        self._spaces = ""
        self._word = ""

    def feed(self, text: str) -> str:
        """Return what can be printed after `text` has arrived."""
        return "".join(map(self._add, text))

    def flush(self) -> str:
        """Return what was held back, at the end of the text."""
        return self._place_word() + self._take_spaces()

    def _add(self, character: str) -> str:
        if character == "\n":
            line = self.flush() + character
            self._column = 0
            return line
        if character in " \t":
            placed = self._place_word()
            self._spaces += character
            return placed
        self._word += character
        # Scripts without spaces may break after any character. So must a word that is longer
        # than a line.
        is_complete = _width(character) == 2 or _width(self._word) >= self._width
        return self._place_word() if is_complete else ""

    def _place_word(self) -> str:
        if not self._word:
            return ""
        word, self._word = self._word, ""
        indent = _width(self._spaces, self._column)
        if self._column and self._column + indent + _width(word) > self._width:
            self._spaces, self._column = "", _width(word)
            return f"\n{word}"
        return self._take_spaces() + self._take(word)

    def _take_spaces(self) -> str:
        spaces, self._spaces = self._spaces, ""
        return self._take(spaces)

    def _take(self, text: str) -> str:
        self._column += _width(text, self._column)
        return text


def _width(text: str, column: int = 0) -> int:
    """Return how many columns of a terminal a text takes from `column` on."""
    end = column
    for character in text:
        if character == "\t":
            end += _TAB - end % _TAB
        elif unicodedata.east_asian_width(character) in "WF":
            end += 2
        elif not unicodedata.combining(character):
            end += 1
    return end - column
