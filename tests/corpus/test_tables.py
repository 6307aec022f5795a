import csv
import gzip
import io
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import find_files, read_blocks, read_rows
from textgen.errors import CorpusError

# What separates, quotes and ends in either format, or could be taken for it.
texts = st.text(st.one_of(st.sampled_from('",\t\n\\\u2028\x0c '), st.characters(codec="utf-8")))
normalized = texts.map(lambda text: text.replace("\r", "\n"))
tables = st.lists(st.tuples(normalized, normalized), max_size=6)
places = st.lists(st.integers(0, 300), max_size=6)


def cut(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(edges)]


@given(table=tables, places=places, table_format=st.sampled_from(["csv", "tsv"]))
def test_csv_gives_back_what_was_written(table, places, table_format):
    file = io.StringIO(newline="")
    dialect = "excel" if table_format == "csv" else "excel-tab"
    writer = csv.writer(file, dialect, lineterminator="\n")
    writer.writerows([("title", "body"), *table])
    rows = read_rows(cut(file.getvalue(), places), table_format, "body", "t.csv")
    assert list(rows) == [body for _, body in table if body]


@given(table=tables, places=places, ascii_only=st.booleans())
def test_json_lines_give_back_what_was_written(table, places, ascii_only):
    lines = [
        json.dumps({"title": title, "body": body}, ensure_ascii=ascii_only) for title, body in table
    ]
    rows = read_rows(cut("\n".join(lines), places), "jsonl", "body", "t.jsonl")
    assert list(rows) == [body for _, body in table if body]


def rows_of(text, table_format="csv", column=None):
    return list(read_rows([text], table_format, column, f"t.{table_format}"))


def test_the_column_is_text_unless_named():
    assert rows_of("id,text\n1,one\n") == ["one"]
    assert rows_of('{"id": 1, "text": "one"}\n', "jsonl") == ["one"]


def test_empty_texts_nulls_short_rows_and_blank_lines_are_left_out():
    assert rows_of('\nid,text\n1,\n2\n\n3,""\n4,four,more\n') == ["four"]
    assert rows_of('\n{"text": null}\n{"text": ""}\n \n{"text": "a"}', "jsonl") == ["a"]


@pytest.mark.parametrize("table_format", ["csv", "tsv", "jsonl"])
def test_a_table_without_a_row_holds_no_text(table_format):
    assert rows_of("", table_format) == []
    assert rows_of("\n\n", table_format) == []


def test_line_ends_hidden_in_escapes_become_line_feeds():
    assert rows_of(r'{"text": "a\r\nb\rc"}', "jsonl") == ["a\nb\nc"]


def test_a_field_may_be_longer_than_the_csv_module_allows():
    before = csv.field_size_limit()
    assert rows_of(f"text\n{'x' * (before + 1)}\n") == ["x" * (before + 1)]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "table_format", "column", "message"),
    [
        ("id,body\n1,a\n", "csv", None, "t.csv: there is no column 'text'; name the one that"),
        ("id,body\n1,a\n", "csv", "Body", "with --text-column. Its columns: 'id', 'body'."),
        ('text\na\n"b\nc\n', "csv", None, "the row that ends at line 4 is malformed (unexpected"),
        ('text\n"a"b\n', "csv", None, "Is a quote left open, or one within a quoted field not"),
        ('{"text": "a"}\n\n{"text": }', "jsonl", None, "t.jsonl: row 3 is not valid JSON (Expec"),
        ("[" * 100_000, "jsonl", None, "row 1 is not valid JSON"),
        ('{"text": "a"}\n{"body": "b"}', "jsonl", None, "row 2 has no 'text'; name the key that"),
        ('{"id": 1, "body": "b"}', "jsonl", "text", "--text-column. Its keys: 'id', 'body'."),
        ("{}", "jsonl", None, "Its keys: none."),
        ('"text"', "jsonl", None, 'row 1 must be a JSON object. Received: "text"'),
        ('{"text": 5}', "jsonl", None, "row 1: 'text' must be a string. Received: 5"),
        (r'{"text": "\ud800"}', "jsonl", None, "without lone surrogates. Received: U+D800"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_row(text, table_format, column, message):
    with pytest.raises(CorpusError, match=re.escape(message)):
        rows_of(text, table_format, column)


def test_a_quote_left_open_does_not_swallow_a_whole_file(monkeypatch):
    monkeypatch.setattr("textgen.corpus.tables._MAX_FIELD_CHARACTERS", 100)
    with pytest.raises(CorpusError, match=r"line 12 is malformed \(field larger than field limit"):
        rows_of('text\n"' + "123456789\n" * 1000)


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.jsonl", "t.ndjson", "t.txt"])
def test_the_ending_of_the_name_says_what_a_file_is(tmp_path, documents_of, name):
    content = {"csv": "text,n\none,1\n", "tsv": "text\tn\none\t1\n", "txt": "one"}
    kind = name.lower().rpartition(".")[2]
    data = content.get(kind, '{"text": "one"}').encode("utf-8-sig")
    (tmp_path / name).write_bytes(data)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    for path in (name, f"{name}.gz"):
        blocks = read_blocks(find_files([tmp_path / path]), CorpusConfig())
        assert documents_of(blocks) == ["one"]
