"""Rows of CSV and TSV files."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from textgen.corpus.bad_rows import BadRows
from textgen.corpus.cleaning import split_lines
from textgen.errors import CorpusError
from textgen.numerals import whole_number

DEFAULT_COLUMN = "text"
_CSV_DELIMITERS = (",", ";", "\t", "|")
# The csv module's default of 131,072 is less than a book. A limit is needed, because after an
# unclosed quote the rest of the file is one field.
_MAX_FIELD_CHARACTERS = 1 << 24
# A field in quotes: quotes inside it are doubled.
_WRAPPED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(frozen=True)
class _Layout:
    """The layout of a table: where its texts are.

    Attributes:
        delimiter: Separates the fields of a row.
        num_columns: Fields of a row.
        indices: The fields of the texts.
    """

    delimiter: str
    num_columns: int
    indices: tuple[int, ...]

    def fits(self, row: Sequence[str]) -> bool:
        """Return whether a row has its texts where they should be.

        Fields after the texts may be missing, and empty ones may follow the last.
        """
        return max(self.indices) < len(row) and not any(row[self.num_columns :])


def csv_texts(
    chunks: Iterable[str], columns: Mapping[str, str | None], bad_rows: BadRows
) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each row; see `textgen.corpus.tables.read_records`."""
    lines = _Lines(chunks)
    layout = _read_header(lines, columns, _CSV_DELIMITERS, bad_rows)
    if layout is None:
        return
    rows = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    limit = csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    try:
        while True:
            lines.begin_row()
            try:
                row = next(rows, None)
            except csv.Error as error:
                bad_rows.reject(
                    f"the row that ends at line {lines.number}",
                    f" is malformed ({error}). Is a quote left open, or one within a quoted "
                    "field not doubled?",
                )
                lines.give_back()
                continue
            if row is None:
                return
            if len(row) > 1 and layout.num_columns == 1:
                yield ("".join(lines.row).removesuffix("\n"),)
            elif layout.fits(row):
                yield tuple(row[index] for index in layout.indices)
            elif any(map(str.strip, row)):
                _reject_ragged(row, layout, lines, bad_rows)
    finally:
        csv.field_size_limit(limit)


def tsv_texts(
    chunks: Iterable[str], columns: Mapping[str, str | None], bad_rows: BadRows
) -> Iterator[tuple[str, ...]]:
    """Yield the texts of each row; see `textgen.corpus.tables.read_records`.

    Most programs write TSV without quoting, so a line with the right number of fields is a row
    as it is. Others quote as CSV does: a row is read in that way if it would not fit otherwise.
    """
    lines = _Lines(chunks)
    layout = _read_header(lines, columns, ("\t",), bad_rows)
    if layout is None:
        return
    rows = csv.reader(lines, delimiter="\t", strict=True)
    limit = csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    try:
        while True:
            lines.begin_row()
            line = next(lines, None)
            if line is None:
                return
            line = line.removesuffix("\n")
            row = line.split("\t")
            if len(row) != layout.num_columns or any(map(_is_open, row)):
                lines.give_back(0)
                row = _quoted_row(rows, lines, layout) or row
            if len(row) > 1 and layout.num_columns == 1:
                yield (line,)
            elif layout.fits(row):
                yield tuple(_unwrapped(row[index]) for index in layout.indices)
            elif any(map(str.strip, row)):
                _reject_ragged(row, layout, lines, bad_rows)
    finally:
        csv.field_size_limit(limit)


def _quoted_row(rows: Iterator[list[str]], lines: _Lines, layout: _Layout) -> list[str] | None:
    """Read a row with quoted fields, which may span several lines.

    Returns:
        The row; `None` if quotes do not wrap its fields, or if each line could be a row.
    """
    try:
        row = next(rows)
    except csv.Error:
        row = []
    fits = [line.count("\t") + 1 == layout.num_columns for line in lines.row]
    if len(row) == layout.num_columns and not (len(fits) > 1 and all(fits)):
        return row
    lines.give_back()
    return None


def _is_open(field: str) -> bool:
    """Return whether a field begins with a quote that it does not close."""
    return field.startswith('"') and not _WRAPPED.fullmatch(field)


def _unwrapped(field: str) -> str:
    return field[1:-1].replace('""', '"') if _WRAPPED.fullmatch(field) else field


def _reject_ragged(row: Sequence[str], layout: _Layout, lines: _Lines, bad_rows: BadRows) -> None:
    bad_rows.reject(
        f"line {lines.number}",
        f" must have {layout.num_columns} fields, as the header has. Received: {len(row)}. A "
        f"field with {layout.delimiter!r} in it must be in quotes.",
    )


def _read_header(
    lines: _Lines, columns: Mapping[str, str | None], delimiters: Sequence[str], bad_rows: BadRows
) -> _Layout | None:
    """Find the columns of the texts, from the first line that is not blank.

    Returns:
        The layout; `None` if all lines are blank.

    Raises:
        CorpusError: If there is no such column.
    """
    line = next((line for line in lines if line.strip()), None)
    if line is None:
        return None
    wanted = [column or DEFAULT_COLUMN for column in columns.values()]
    headers = {delimiter: _fields(line, delimiter) for delimiter in delimiters}
    for delimiter, header in headers.items():
        if all(column in header for column in wanted):
            return _Layout(delimiter, len(header), tuple(map(header.index, wanted)))
    # Without the columns' names, the most likely delimiter is the most frequent one.
    delimiter, header = max(headers.items(), key=lambda item: len(item[1]))
    numbers = [whole_number(column) or 0 for column in wanted]
    if all(1 <= number <= len(header) for number in numbers):
        lines.give_back(0)
        return _Layout(delimiter, len(header), tuple(number - 1 for number in numbers))
    if [*columns.values()] == [None] and len(header) == 1:
        lines.give_back(0)
        bad_rows.notices.add("Files with one column and no header 'text'", bad_rows.name)
        return _Layout(delimiter, 1, (0,))
    names = ", ".join(map(repr, header))
    setting, column = next(
        (setting, column)
        for setting, column in zip(columns, wanted, strict=True)
        if column not in header
    )
    raise CorpusError(
        f"{bad_rows.name}: there is no column {column!r}; name the one that holds the "
        f"{setting.removesuffix('_column')} with {setting}. Its columns: {names}. If it has no "
        "header, give the number of the column."
    )


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return [line.removesuffix("\n")]


class _Lines(Iterator[str]):
    """The lines of a file, of which those of the current row can be read again.

    Attributes:
        row: Lines of the current row.
        number: Number of the last line that was read, from 1.
    """

    def __init__(self, chunks: Iterable[str]) -> None:
        self._lines = split_lines(chunks)
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self.number = 0

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        self.number += 1
        return line

    def begin_row(self) -> None:
        """Begin the next row."""
        self.row.clear()

    def give_back(self, kept: int = 1) -> None:
        """Read the lines of the current row again, except for the first `kept`."""
        self._again.extendleft(reversed(self.row[kept:]))
        self.number -= len(self.row[kept:])
        del self.row[kept:]
