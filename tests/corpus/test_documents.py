import dataclasses
import io
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import find_files, read_blocks, split_chunks
from textgen.errors import ConfigError, CorpusError

chunked = st.lists(st.text("ab \n\u2028\x0c"))


@pytest.fixture
def read(documents_of):
    """Read the documents of a path."""

    def read(path, config):
        return documents_of(read_blocks(find_files([path], encoding=config.encoding), config))

    return read


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1.txt").write_text("one\ntwo")
    (tmp_path / "2.txt").write_text("")
    (tmp_path / "3.txt").write_text("\nthree\n\n\n four\nfive\n")
    (tmp_path / "4.txt").write_text("six")
    return tmp_path


@pytest.mark.parametrize(
    ("split", "documents"),
    [
        ("none", ["one\ntwo\n\nthree\n\n\n four\nfive\nsix"]),
        ("file", ["one\ntwo", "\nthree\n\n\n four\nfive\n", "six"]),
        ("line", ["one", "two", "three", " four", "five", "six"]),
        ("blank-line", ["one\ntwo", "three", " four\nfive", "six"]),
    ],
)
def test_splits(read, folder, split, documents):
    assert read(folder, CorpusConfig(split_documents=split)) == documents


def test_lines_of_the_given_text_separate_documents(read, tmp_path):
    path = tmp_path / "fortunes"
    path.write_text("%\none\n\n100%\n%\n\n % \ntwo\n%\n")
    assert read(path, CorpusConfig(split_documents="%")) == ["one\n\n100%", "two"]


def test_the_separator_is_cleaned_as_the_corpus_is(read, tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text("CHAPTER\nOne\nCHAPTER\nTwo\n")
    config = CorpusConfig(split_documents="CHAPTER", lowercase=True)
    assert read(path, config) == ["one", "two"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("lines", "'lines', which is no line of the corpus"),
        ("%", "split_documents must not be removed by cleaning. Received: '%'"),
    ],
)
def test_a_separator_that_cannot_separate_is_an_error(read, folder, split, message):
    with pytest.raises(CorpusError, match=message):
        read(folder, CorpusConfig(split_documents=split, strip_punctuation=True))


@given(chunks=chunked, split=st.sampled_from(["none", "line", "blank-line", "file", "one"]))
def test_the_cuts_make_no_difference(documents_of, chunks, split):
    whole = documents_of(split_chunks(["".join(chunks)], split))
    assert documents_of(split_chunks(chunks, split)) == whole


@given(chunks=chunked)
def test_line_documents_are_the_lines_that_are_not_blank(documents_of, chunks):
    lines = [line for line in "".join(chunks).split("\n") if line.strip()]
    assert documents_of(split_chunks(chunks, "line")) == lines


@given(chunks=chunked)
def test_a_text_is_one_document_unless_it_is_blank(documents_of, chunks):
    text = "".join(chunks)
    assert documents_of(split_chunks(chunks, "file")) == ([text] if text.strip() else [])


@given(chunks=chunked)
def test_paragraphs_hold_the_same_lines(documents_of, chunks):
    paragraphs = documents_of(split_chunks(chunks, "blank-line"))
    lines = [line for paragraph in paragraphs for line in paragraph.split("\n")]
    assert lines == documents_of(split_chunks(chunks, "line"))


@pytest.mark.parametrize("split", ["none", "file", "line", "blank-line"])
def test_blocks_are_yielded_before_the_text_ends(split):
    def chunks():
        yield "first\n\nsecond"
        raise AssertionError("read too far")

    assert "first" in next(split_chunks(chunks(), split))[0]


def test_documents_are_cleaned_before_they_are_split(read, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<p>one</p><p\n>two</p>...")
    config = CorpusConfig(strip_html=True, strip_punctuation=True, split_documents="line")
    assert read(path, config) == ["one", "two"]


def test_an_unclosed_script_ends_with_its_file(read, tmp_path):
    (tmp_path / "1.html").write_text("one<script>")
    (tmp_path / "2.html").write_text("two")
    config = CorpusConfig(strip_html=True)
    assert read(tmp_path, config) == ["one\ntwo"]


def test_standard_input_is_read(read, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\r\nb")))
    assert read("-", CorpusConfig()) == ["a\nb"]


def test_a_directly_named_binary_file_is_an_error(read, tmp_path):
    path = tmp_path / "photo.txt"
    path.write_bytes(b"\x89PNG\0")
    with pytest.raises(CorpusError, match="looks like a binary file"):
        read(path, CorpusConfig())


def test_an_unknown_encoding_is_reported_before_a_missing_file(read):
    with pytest.raises(ConfigError, match="nosuch"):
        read("missing", CorpusConfig(encoding="nosuch"))


def test_the_rows_of_a_table_are_documents_between_the_texts(read, tmp_path):
    (tmp_path / "1.txt").write_text("one")
    (tmp_path / "2.txt").write_text("two")
    (tmp_path / "3.csv").write_text("text\nthree\n \nfour\n")
    (tmp_path / "4.txt").write_text("five")
    assert read(tmp_path, CorpusConfig()) == ["one\ntwo", "three", "four", "five"]


def test_rows_are_cleaned_one_by_one_and_split_as_files_are(read, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('title,body\n1,"<b>One<p>\ntwo"\n2,<script>\n3,Three\n')
    config = CorpusConfig(strip_html=True, lowercase=True, text_column="body")
    assert read(path, config) == ["one\n\ntwo", "three"]
    lines = dataclasses.replace(config, split_documents="line")
    assert read(path, lines) == ["one", "two", "three"]
