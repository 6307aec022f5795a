import csv
import gzip
import io
import itertools
import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import find_files, read_blocks, read_rows
from textgen.corpus.notices import Notices
from textgen.errors import CorpusError

# What separates, quotes and ends in either format, or could be taken for it.
texts = st.text(st.one_of(st.sampled_from('",\t\n\\\u2028\x0c '), st.characters(codec="utf-8")))
normalized = texts.map(lambda text: text.replace("\r", "\n"))
tables = st.lists(st.tuples(normalized, normalized), max_size=6)
places = st.lists(st.integers(0, 300), max_size=6)


def cut(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def written(table, delimiter):
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    writer.writerows([("title", "body"), *table])
    return file.getvalue()


def is_text(value):
    return value not in ("", "NaN", "nan", "NULL", "null")


@given(table=tables, places=places, delimiter=st.sampled_from(",;\t|"))
def test_csv_gives_back_what_was_written(table, places, delimiter):
    rows = read_rows(cut(written(table, delimiter), places), "csv", "body", "t.csv")
    assert list(rows) == [body for _, body in table if is_text(body)]


def is_ambiguous(row):
    """Whether a row over several lines could be a row per line."""
    lines = written([row], "\t").split("\n")[1:-1]
    return len(lines) > 1 and all(line.count("\t") == 1 for line in lines)


@given(table=tables, places=places)
def test_tsv_gives_back_what_was_written_with_quotes(table, places):
    assume(not any(map(is_ambiguous, table)))
    rows = read_rows(cut(written(table, "\t"), places), "tsv", "body", "t.tsv")
    assert list(rows) == [body for _, body in table if is_text(body)]


literal = st.text(st.sampled_from("\",;'\\ a"), min_size=1)


@given(table=st.lists(st.tuples(literal, literal), max_size=6))
def test_quotes_in_tsv_are_text_unless_they_wrap_a_field(table):
    text = "title\tbody\n" + "".join(f"{title}\t{body}\n" for title, body in table)
    wanted = [
        body[1:-1].replace('""', '"') if re.fullmatch(r'"(?:[^"]|"")*"', body) else body
        for _, body in table
    ]
    assert rows_of(text, "tsv", "body") == [body for body in wanted if body]


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


def test_missing_texts_are_skipped_and_counted(caplog):
    for text, table_format in (
        ('\nid,text\n1,\n2,NaN\n\n3,""\n4,four\n5,null\n', "csv"),
        ("id\ttext\n1\t\n2\tNaN\n\n3\tNULL\n4\tfour\n5\tnan\n", "tsv"),
        (
            '\n{"text": null}\n{"text": ""}\n \n{"text": NaN}\n{"text": "four"}\n{"text": null}',
            "jsonl",
        ),
        ('[{"text": null}, "", {"text": "four"}, {"text": NaN}, {"text": null}]', "json"),
    ):
        notices = Notices()
        name = f"t.{table_format}"
        assert list(read_rows([text], table_format, None, name, notices=notices)) == ["four"]
        notices.warn()
        assert caplog.messages[-1] == f"Skipped rows without a text: 4 ({name})."


def test_the_delimiter_is_the_one_of_the_header():
    for delimiter in ",;\t|":
        text = f"id{delimiter}text\n1{delimiter}one, two; three\n"
        if delimiter in ",;":
            text = text.replace("one, two; three", '"one, two; three"')
        assert rows_of(text) == ["one, two; three"]


def test_in_a_csv_file_of_one_column_a_line_with_commas_is_one_text():
    text = 'text\nI came, I saw, I conquered\n"quoted, text"\n"Hm", she said\n'
    assert rows_of(text) == ["I came, I saw, I conquered", "quoted, text", '"Hm", she said']
    assert rows_of("text\na\tb\n", "tsv") == ["a\tb"]


def test_a_file_of_one_column_needs_no_header(caplog):
    notices = Notices()
    assert list(read_rows(["one\ntwo, too\n"], "csv", None, "t.csv", notices=notices)) == [
        "one",
        "two, too",
    ]
    notices.warn()
    assert "one column and no header 'text': 1 (t.csv)" in caplog.text


def test_a_number_names_a_column_of_a_file_without_a_header():
    assert rows_of("1,one\n2,two\n", column="2") == ["one", "two"]
    assert rows_of("1\tone\n2\ttwo\n", "tsv", "2") == ["one", "two"]
    assert rows_of("1,2\none,two\n", column="2") == ["two"]


def test_the_fields_after_the_text_may_be_missing_or_be_empty_ones():
    assert rows_of("id,text,label\n1,one\n2,two,x,,\n") == ["one", "two"]


def test_a_json_array_holds_objects_or_strings():
    text = '[{"text": "one\\r\\n"}, "two" ,\n{"id": [1, {}], "text": "three"}]'
    for size in (1, 7, 100):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        rows = read_rows(pieces, "json", None, "t.json")
        assert list(rows) == ["one\n", "two", "three"]
    assert rows_of("[]", "json") == []


@pytest.mark.parametrize(
    ("text", "table_format", "case"),
    [
        ("id,text\n1,good\n2,bad,bad\n3,good\n", "csv", "line 3"),
        ("id,text\n1,good\n2\n3,good\n", "csv", "line 3"),
        ('id,text\n1,good\n2,"bad"bad\n3,good\n', "csv", "the row that ends at line 3"),
        ('id,text\n1,good\n3,good\n2,"bad\n', "csv", "the row that ends at line 4"),
        ("id\ttext\n1\tgood\n2\tbad\tbad\n3\tgood\n", "tsv", "line 3"),
        ('{"text": "good"}\n{"text": "bad\n{"text": "good"}\n', "jsonl", "row 2"),
        ('{"text": "good"}\n{"txt": "bad"}\n{"text": "good"}\n', "jsonl", "row 2"),
        ('["good", 5, "good"]', "json", "element 2"),
    ],
)
def test_one_bad_row_is_an_error_or_skipped_and_counted(text, table_format, case, caplog):
    name = f"t.{table_format}"
    with pytest.raises(CorpusError, match=f"^{name}: {case}.* set skip_bad_rows to skip"):
        rows_of(text, table_format)
    notices = Notices()
    rows = read_rows([text], table_format, None, name, skip_bad_rows=True, notices=notices)
    assert list(rows) == ["good", "good"]
    notices.warn()
    assert caplog.messages == [f"Skipped bad rows: 1 ({name} {case})."]


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
        ("id,body\n1,a\n", "csv", "Body", "with text_column. Its columns: 'id', 'body'."),
        ('text\na\n"b\nc\n', "csv", None, "the row that ends at line 4 is malformed (unexpected"),
        ('text\n"a"b\n', "csv", None, "Is a quote left open, or one within a quoted field not"),
        ('{"text": "a"}\n\n{"text": }', "jsonl", None, "t.jsonl: row 3 is not valid JSON (Expec"),
        ("[" * 100_000, "jsonl", None, "row 1 is not valid JSON"),
        ('{"text": "a"}\n{"body": "b"}', "jsonl", None, "row 2 has no 'text'; name the key that"),
        ('{"id": 1, "body": "b"}', "jsonl", "text", "text_column. Its keys: 'id', 'body'."),
        (
            "id,text\n1,a,b\n",
            "csv",
            None,
            "t.csv: line 2 must have 2 fields, as the header has. Received: 3.",
        ),
        ("id,text\n1\n", "csv", None, "line 2 must have 2 fields, as the header has. Received: 1."),
        ("one,two\n", "csv", "9" * 5000, "give the number of the column."),
        ("one,two\n", "csv", None, "If it has no header, give the number of the column."),
        ('["a", "b', "json", None, "t.json: element 2 is not valid JSON"),
        ('["a" "b"]', "json", None, "element 1 must be followed by a comma"),
        ('["a", ', "json", None, "the array does not end"),
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
    monkeypatch.setattr("textgen.corpus.delimited_rows._MAX_FIELD_CHARACTERS", 100)
    with pytest.raises(CorpusError, match=r"line 12 is malformed \(field larger than field limit"):
        rows_of('text\n"' + "123456789\n" * 1000)


@pytest.mark.parametrize("name", ["t.csv", "t.TSV", "t.jsonl", "t.ndjson", "t.json", "t.txt"])
def test_the_file_extension_says_what_a_file_is(tmp_path, documents_of, name):
    content = {
        "csv": "text,n\none,1\n",
        "tsv": "text\tn\none\t1\n",
        "txt": "one",
        "json": '[{"text": "one"}]',
    }
    kind = name.lower().rpartition(".")[2]
    data = content.get(kind, '{"text": "one"}').encode("utf-8-sig")
    (tmp_path / name).write_bytes(data)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    for path in (name, f"{name}.gz"):
        blocks = read_blocks(find_files([tmp_path / path]), CorpusConfig())
        assert documents_of(blocks) == ["one"]


@pytest.mark.parametrize(
    ("content", "table_format"),
    [
        ('[\n {"text": "one"}]', "json"),
        ('["one"]', "json"),
        ('{"text": "one"}\n{"text": "two"}\n', "jsonl"),
        ('{"name": "a package",\n "version": 1}', "text"),
        ('{"name": "a package"}', "text"),
        ("[1, 2]", "text"),
    ],
)
def test_a_json_file_is_a_table_if_it_looks_like_one(tmp_path, content, table_format):
    path = tmp_path / "data.json"
    path.write_text(content)
    (source,) = find_files([path])
    assert source.format == table_format
