"""Turns any text into the text a model sees: HTML, Unicode forms, punctuation, letter case.

The order is fixed:

1. Strip HTML, because entities decode to characters that the later steps must see.
2. Normalize, because NFKC turns other characters into punctuation and capitals ("…" -> "...").
3. Strip punctuation.
4. Convert to lower case.
5. Normalize again, because steps 3 and 4 can leave characters that a normal form composes or
   reorders ("e", "-", acute accent -> "é").

Steps 2 to 5 together are idempotent. Step 1 cannot be: "&amp;lt;" is HTML for the text "&lt;",
which is in turn HTML for "<".
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Literal, cast

from textgen.config import CorpusConfig
from textgen.unicode import to_plain_text

# fmt: off
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd",
    "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr",
    "html", "legend", "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section",
    "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul",
))
# fmt: on
_HIDDEN = frozenset({"script", "style"})
# Inside a tag: the start of another tag, the end, or an opening quote, after which both are text.
_TAG_MARK = re.compile(r"""[<>]|=\s*["']""")


def clean(text: str, config: CorpusConfig) -> str:
    r"""Convert a text to the form that a model sees.

    Every text goes through this function, or in pieces through `decode_chunks` and
    `clean_chunks`, which do the same: corpora, prompts, texts to score, stop strings, banned
    and biased texts. So the same text always has the same tokens.

    Args:
        text: Any text, with or without a byte order mark, with any line ends.
        config: Its `strip_html`, `normalize`, `strip_punctuation` and `lowercase` are used.

    Returns:
        The text with `\n` line ends and without a byte order mark, cleaned.

    Example:
        >>> clean("<p>Caf&eacute;!</p>\r\n", CorpusConfig(strip_html=True, lowercase=True))
        'café!\n\n'
    """
    return "".join(clean_chunks([to_plain_text(text)], config))


def clean_chunks(chunks: Iterable[str], config: CorpusConfig) -> Iterator[str]:
    """Clean a text that arrives in pieces.

    Args:
        chunks: The text in order, with `\\n` line ends. The cuts make no difference to the result.
        config: Its `strip_html`, `normalize`, `strip_punctuation` and `lowercase` are used.

    Returns:
        An iterator over pieces whose concatenation is `clean` of the whole text.
    """
    if config.strip_html:
        chunks = _strip_html(chunks)
    if config.lowercase or config.strip_punctuation or config.normalize != "none":
        # No step looks across a line end or a space: nothing composes with them, and the one
        # letter whose lower case depends on its neighbors (final sigma) looks only within its
        # word. Spaces count, because a text of a gigabyte may be a single line. A text with
        # neither is in memory as a whole.
        chunks = (_clean_words(words, config) for words in cut_after(chunks, "\n "))
    yield from chunks


def cut_after(chunks: Iterable[str], marks: str) -> Iterator[str]:
    """Cut a text that arrives in pieces into pieces that end with one of the characters `marks`.

    Args:
        chunks: The text in order.
        marks: Characters to cut after.

    Returns:
        An iterator over non-empty pieces. The last one may end with any character.
    """
    pending: list[str] = []
    for chunk in chunks:
        end = max(chunk.rfind(mark) for mark in marks) + 1
        if end:
            yield "".join([*pending, chunk[:end]])
            pending = []
        pending.append(chunk[end:])
    if rest := "".join(pending):
        yield rest


def split_lines(chunks: Iterable[str]) -> Iterator[str]:
    r"""Yield the lines of a text that arrives in pieces, each with its `\n`.

    `str.splitlines` would also cut at form feeds, U+2028 and others, which may be in a line.
    """
    for text in cut_after(chunks, "\n"):
        yield from io.StringIO(text, newline="\n")


def _clean_words(text: str, config: CorpusConfig) -> str:
    text = _normalize(text, config)
    if config.strip_punctuation:
        text = text.translate(_PUNCTUATION)
    if config.lowercase:
        text = text.lower()
    if config.strip_punctuation or config.lowercase:
        text = _normalize(text, config)
    return text


def _normalize(text: str, config: CorpusConfig) -> str:
    if config.normalize == "none":
        return text
    return unicodedata.normalize(cast(Literal["NFC", "NFKC"], config.normalize.upper()), text)


class _Punctuation(dict[int, int | None]):
    """A `str.translate` table that removes Unicode category P; it fills itself when used."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code)).startswith("P") else code
        self[code] = kept
        return kept


_PUNCTUATION = _Punctuation()


def _strip_html(chunks: Iterable[str]) -> Iterator[str]:
    parser = _TextParser()
    for chunk in chunks:
        parser.feed(chunk)
        yield parser.take_text()
    parser.close()
    yield parser.take_text()


class _TextParser(HTMLParser):
    """Extracts the visible text of a page, with each block on lines of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden: str | None = None
        self._at_line_start = True

    def take_text(self) -> str:
        """Return the text parsed since the last call."""
        text = "".join(self._parts)
        self._parts.clear()
        return text

    def parse_starttag(self, i: int) -> int:
        """Treat `<` as text if another `<` precedes the tag's end ("a < b and <b>").

        The base class would search for the end of each `<` up to the end of the text.
        """
        mark = _TAG_MARK.search(self.rawdata, i + 1)
        if mark is not None and mark[0] == "<":
            self.handle_data("<")
            return i + 1
        if self.rawdata.find(">", i) < 0:
            return -1  # the tag continues in the next piece
        return super().parse_starttag(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Break the line before a block; ignore text from here if a script or style begins."""
        if tag in _HIDDEN and self._hidden is None:
            self._hidden = tag
        if tag == "br":
            self._write("\n")
        else:
            self._break_line(tag)

    def handle_endtag(self, tag: str) -> None:
        """Break the line after a block; end ignoring text after a script or style."""
        if tag == self._hidden:
            self._hidden = None
        if tag != "br":
            self._break_line(tag)

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self._write(data)

    def parse_html_declaration(self, i: int) -> int:
        """Treat `<![...>` as a comment, as HTML does.

        The base class parses it as SGML and fails on unknown keywords.
        """
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)

    def _break_line(self, tag: str) -> None:
        # "</p>" and the next "<p>" share one break, or half of every page would be empty lines.
        if tag in _BLOCKS and not self._at_line_start:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text and self._hidden is None:
            self._parts.append(text)
            self._at_line_start = text.endswith("\n")
