"""Tables of texts: CSV, TSV, JSON Lines and JSON arrays, one text per row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from textgen.corpus.bad_rows import BadRows
from textgen.corpus.delimited_rows import csv_texts, tsv_texts
from textgen.corpus.json_rows import Dialogue, json_array_texts, json_line_texts
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Format

# How other programs write that a cell of a CSV or TSV file has no value.
_MISSING = frozenset({"NaN", "nan", "NULL", "null"})


def read_rows(
    chunks: Iterable[str],
    table_format: Format,
    column: str | None,
    name: str,
    skip_bad_rows: bool = False,
    notices: Notices | None = None,
) -> Iterator[str]:
    r"""Yield the text of every row.

    Args:
        chunks: The file's text with `\n` line ends. The cuts make no difference.
        table_format: `"csv"` and `"tsv"` begin with a line of column names. CSV quotes with
            `"`, separates with `,`, `;`, a tab or `|`, whichever the header has, and in a file
            of one column an unquoted separator belongs to the text. In TSV quotes are text,
            except around a field. `"jsonl"` has a JSON object per line, `"json"` is an array of
            objects or strings.
        column: Name of the column or key that holds the text. Defaults to `"text"`. A number,
            from 1, names a column of a CSV or TSV file without a header.
        name: Name of the file in error messages.
        skip_bad_rows: Whether to skip malformed rows instead of raising an error.
        notices: Collects warnings about rows that were skipped.

    Returns:
        An iterator over texts with `\n` line ends. Blank lines, and rows whose text is missing
        (empty, null, NaN), are skipped.

    Raises:
        CorpusError: If there is no such column, or a row is malformed.

    Example:
        >>> list(read_rows(["id;text\n1;Tyger, tyger\n"], "csv", None, "poems.csv"))
        ['Tyger, tyger']
    """
    columns = {"text_column": column}
    for record in read_records(chunks, table_format, columns, name, skip_bad_rows, notices):
        if not isinstance(record, Dialogue):
            yield record[0]


def read_records(
    chunks: Iterable[str],
    table_format: Format,
    columns: Mapping[str, str | None],
    name: str,
    skip_bad_rows: bool = False,
    notices: Notices | None = None,
) -> Iterator[tuple[str, ...] | Dialogue]:
    r"""Yield the texts that every row has in some columns, or its dialogue.

    Args:
        chunks: See `read_rows`.
        table_format: See `read_rows`.
        columns: Names of columns by the settings that hold them, of which `"text_column"`
            defaults to `"text"`.
        name: See `read_rows`.
        skip_bad_rows: See `read_rows`.
        notices: See `read_rows`.

    Returns:
        An iterator over texts in the order of `columns`, none of them empty. An object that has
        no `"text"` but `"messages"` is a dialogue, if no column is named.

    Raises:
        CorpusError: If there is no such column, or a row is malformed.

    Example:
        >>> columns = {"prompt_column": "q", "text_column": "a"}
        >>> list(read_records(["q,a\nWhat?,That.\n"], "csv", columns, "faq.csv"))
        [('What?', 'That.')]
    """
    notices = Notices() if notices is None else notices
    bad_rows = BadRows(name, skip_bad_rows, notices)
    read: dict[str, Callable[..., Iterable[tuple[str | None, ...] | Dialogue]]] = {
        "csv": csv_texts,
        "tsv": tsv_texts,
        "jsonl": json_line_texts,
        "json": json_array_texts,
    }
    missing = _MISSING if table_format in ("csv", "tsv") else frozenset()
    for record in read[table_format](chunks, columns, bad_rows):
        if isinstance(record, Dialogue):
            yield record
        elif len(texts := [text for text in record if text and text not in missing]) == len(record):
            yield tuple(texts)
        else:
            parts = " or a ".join(setting.removesuffix("_column") for setting in columns)
            notices.add(f"Skipped rows without a {parts}", name)
