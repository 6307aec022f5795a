"""Tables of texts: CSV, TSV and JSON Lines, one text per row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from textgen.corpus.cleaning import cut_after
from textgen.corpus.sources import Format
from textgen.errors import CorpusError
from textgen.unicode import encode_unicode

DEFAULT_COLUMN = "text"
# The csv module's default of 131,072 is less than a book. A limit is needed, because after an
# unclosed quote the rest of the file is one field.
_MAX_FIELD_CHARACTERS = 1 << 24


def read_rows(
    chunks: Iterable[str], table_format: Format, column: str | None, name: str
) -> Iterator[str]:
    r"""Yield the text of every row.

    Args:
        chunks: The file's text with `\n` line ends. The cuts make no difference.
        table_format: `"csv"` and `"tsv"` begin with a line of column names and quote with `"`;
            `"jsonl"` has one JSON object per line.
        column: Name of the column or key that holds the text. Defaults to `"text"`.
        name: Name of the file in error messages.

    Returns:
        An iterator over texts with `\n` line ends. Empty texts, nulls, rows that end before the
        column, and blank lines are skipped.

    Raises:
        CorpusError: If there is no such column, or a row is malformed.
    """
    column = DEFAULT_COLUMN if column is None else column
    if table_format == "jsonl":
        texts = _json_lines(chunks, column, name)
    else:
        texts = _csv(chunks, "\t" if table_format == "tsv" else ",", column, name)
    return filter(None, texts)


def _csv(chunks: Iterable[str], delimiter: str, column: str, name: str) -> Iterator[str]:
    rows = csv.reader(_lines(chunks), delimiter=delimiter, strict=True)
    limit = csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    try:
        header = next(filter(None, rows), None)
        if header is None:
            return
        if column not in header:
            raise CorpusError(
                f"{name}: there is no column {column!r}; name the one that holds the text with "
                f"text_column. Its columns: {_listed(header)}."
            )
        place = header.index(column)
        yield from (row[place] for row in rows if place < len(row))
    except csv.Error as error:
        raise CorpusError(
            f"{name}: the row that ends at line {rows.line_num} is malformed ({error}). "
            "Is a quote left open, or one within a quoted field not doubled?"
        ) from error
    finally:
        csv.field_size_limit(limit)


def _json_lines(chunks: Iterable[str], column: str, name: str) -> Iterator[str]:
    for number, line in enumerate(_lines(chunks), start=1):
        if line.isspace():
            continue
        where = f"{name}: row {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{where} is not valid JSON ({error}).") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{where} must be a JSON object. Received: {line.strip()[:40]}")
        if column not in row:
            raise CorpusError(
                f"{where} has no {column!r}; name the key that holds the text with "
                f"text_column. Its keys: {_listed(row)}."
            )
        text = row[column]
        if text is None:
            continue
        if not isinstance(text, str):
            raise CorpusError(f"{where}: {column!r} must be a string. Received: {text!r:.40}")
        encode_unicode(text, CorpusError, subject=f"{where}: {column!r}")  # for its check
        # Escapes hide line ends from the decoder, which converts all others to "\n".
        yield text.replace("\r\n", "\n").replace("\r", "\n")


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    # str.splitlines would also cut at U+2028 and other marks, which JSON and CSV may contain.
    for text in cut_after(chunks, "\n"):
        yield from io.StringIO(text, newline="\n")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
