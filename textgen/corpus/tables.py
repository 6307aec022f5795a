"""Tables of texts: CSV, TSV, JSON Lines and JSON arrays, one text per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textgen.corpus.bad_rows import BadRows
from textgen.corpus.delimited_rows import DEFAULT_COLUMN, csv_texts, tsv_texts
from textgen.corpus.json_rows import json_array_texts, json_line_texts
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
    notices = Notices() if notices is None else notices
    bad_rows = BadRows(name, skip_bad_rows, notices)
    texts: Iterator[str | None]
    if table_format == "csv":
        texts = csv_texts(chunks, column, bad_rows)
    elif table_format == "tsv":
        texts = tsv_texts(chunks, column, bad_rows)
    elif table_format == "jsonl":
        texts = json_line_texts(chunks, column or DEFAULT_COLUMN, bad_rows)
    else:
        texts = json_array_texts(chunks, column or DEFAULT_COLUMN, bad_rows)
    missing = _MISSING if table_format in ("csv", "tsv") else frozenset()
    for text in texts:
        if text and text not in missing:
            yield text
        else:
            notices.add("Skipped rows without a text", name)
