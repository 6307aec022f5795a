"""Rows of JSON Lines and of JSON arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from textgen.corpus.bad_rows import BadRows
from textgen.corpus.cleaning import split_lines
from textgen.corpus.delimited_rows import DEFAULT_COLUMN
from textgen.errors import CorpusError
from textgen.unicode import lone_surrogate, to_plain_text

# An element of an array must end within this many characters; after a mistake, none does.
_MAX_ELEMENT_CHARACTERS = 1 << 24
_SPACE = " \t\n\r"
# The key of a dialogue's messages.
_MESSAGES = "messages"


class Dialogue(NamedTuple):
    """The messages of a row.

    Attributes:
        messages: What the row has as its messages, unchecked.
        where: Which row it is, for an error.
    """

    messages: object
    where: str


JsonRow = tuple[str | None, ...] | Dialogue


def json_line_texts(
    chunks: Iterable[str], columns: Mapping[str, str | None], bad_rows: BadRows
) -> Iterator[JsonRow]:
    """Yield the texts of each line, `None` for one that has no value."""
    for number, line in enumerate(split_lines(chunks), start=1):
        if line.isspace():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            bad_rows.reject(f"row {number}", f" is not valid JSON ({error}).")
        else:
            yield from _texts(row, columns, f"row {number}", bad_rows)


def json_array_texts(
    chunks: Iterable[str], columns: Mapping[str, str | None], bad_rows: BadRows
) -> Iterator[JsonRow]:
    """Yield the texts of each element of an array of objects or strings; see `json_line_texts`.

    Raises:
        CorpusError: If the array is not valid JSON. Nothing can be read after that.
    """
    for number, element in enumerate(_elements(chunks, bad_rows.name), start=1):
        is_text = isinstance(element, str) and len(columns) == 1
        row = {next(iter(columns.values())) or DEFAULT_COLUMN: element} if is_text else element
        yield from _texts(row, columns, f"element {number}", bad_rows)


def _texts(
    row: object, columns: Mapping[str, str | None], where: str, bad_rows: BadRows
) -> Iterator[JsonRow]:
    """Yield the texts of a row, or its dialogue, or reject it."""
    if not isinstance(row, dict):
        shown = json.dumps(row, ensure_ascii=False)[:40]
        bad_rows.reject(where, f" must be a JSON object. Received: {shown}.")
        return
    if [*columns.values()] == [None] and DEFAULT_COLUMN not in row and _MESSAGES in row:
        yield Dialogue(row[_MESSAGES], where)
        return
    texts: list[str | None] = []
    for setting, column in columns.items():
        name = column or DEFAULT_COLUMN
        if name not in row:
            keys = ", ".join(map(repr, row)) or "none"
            bad_rows.reject(
                where,
                f" has no {name!r}; name the key that holds the "
                f"{setting.removesuffix('_column')} with {setting}. Its keys: {keys}.",
            )
            return
        text = row[name]
        if text is None or (isinstance(text, float) and math.isnan(text)):
            texts.append(None)
        elif setting == "label_column" and isinstance(text, int):
            texts.append(str(text))  # classes are often numbered
        elif not isinstance(text, str):
            bad_rows.reject(where, f": {name!r} must be a string. Received: {text!r:.40}.")
            return
        elif surrogate := lone_surrogate(text):
            bad_rows.reject(
                where,
                f": {name!r} must be Unicode text without lone surrogates. Received: {surrogate}.",
            )
            return
        else:
            # Escapes hide line ends from the decoder, which converts all others to "\n".
            texts.append(to_plain_text(text))
    yield tuple(texts)


def _elements(chunks: Iterable[str], name: str) -> Iterator[object]:
    """Parse an array element by element, so that it need not fit into memory."""
    decoder = json.JSONDecoder()
    pieces = iter(chunks)
    text, position, number = "", 0, 0

    def peek() -> str:
        """Move to the next character that is not white space, and return it."""
        nonlocal text, position
        while True:
            while position < len(text) and text[position] in _SPACE:
                position += 1
            if position < len(text):
                return text[position]
            text, position = next(pieces, ""), 0
            if not text:
                raise CorpusError(f"{name}: the array does not end; is the file complete?")

    peek()
    position += 1  # the bracket by which a source is known to be an array
    while peek() != "]":
        number += 1
        while True:
            try:
                element, position = decoder.raw_decode(text, position)
                break
            except (ValueError, RecursionError) as error:
                # Perhaps the element continues in the next piece.
                piece = next(pieces, "")
                if not piece or len(text) - position > _MAX_ELEMENT_CHARACTERS:
                    raise CorpusError(
                        f"{name}: element {number} is not valid JSON ({error})."
                    ) from error
                text, position = text[position:] + piece, 0
        yield element
        if peek() == ",":
            position += 1
        elif peek() != "]":
            raise CorpusError(f"{name}: element {number} must be followed by a comma.")
