import io
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import iter_documents, split_chunks
from textgen.errors import ConfigError, CorpusError

chunked = st.lists(st.text("ab \n\u2028\x0c"))


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
def test_splits(folder, split, documents):
    config = CorpusConfig(split_documents=split)
    assert list(iter_documents([str(folder)], config)) == documents


@given(chunks=chunked, split=st.sampled_from(["none", "line", "blank-line", "file"]))
def test_where_the_text_is_cut_makes_no_difference(chunks, split):
    assert list(split_chunks(chunks, split)) == list(split_chunks(["".join(chunks)], split))


@given(chunks=chunked)
def test_lines_are_the_lines_that_are_not_blank(chunks):
    lines = [line for line in "".join(chunks).split("\n") if line.strip()]
    assert list(split_chunks(chunks, "line")) == lines


@given(chunks=chunked)
def test_blocks_hold_the_same_lines(chunks):
    blocks = list(split_chunks(chunks, "blank-line"))
    assert [line for block in blocks for line in block.split("\n")] == list(
        split_chunks(chunks, "line")
    )


def test_documents_are_yielded_before_the_text_is_read_to_its_end():
    def chunks():
        yield "first\nsecond"
        raise AssertionError("read too far")

    assert next(split_chunks(chunks(), "line")) == "first"


def test_documents_are_cleaned_before_they_are_split(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("<p>one</p><p\n>two</p>...")
    config = CorpusConfig(strip_html=True, strip_punctuation=True, split_documents="line")
    assert list(iter_documents([str(path)], config)) == ["one", "two"]


def test_an_unclosed_script_ends_with_its_file(tmp_path):
    (tmp_path / "1.html").write_text("one<script>")
    (tmp_path / "2.html").write_text("two")
    config = CorpusConfig(strip_html=True)
    assert list(iter_documents([str(tmp_path)], config)) == ["one\ntwo"]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a\r\nb")))
    assert list(iter_documents(["-"], CorpusConfig())) == ["a\nb"]


def test_a_directly_named_binary_file_is_an_error(tmp_path):
    path = tmp_path / "photo.txt"
    path.write_bytes(b"\x89PNG\0")
    with pytest.raises(CorpusError, match="looks like a binary file"):
        list(iter_documents([str(path)], CorpusConfig()))


def test_an_unknown_encoding_is_reported_before_a_missing_file():
    with pytest.raises(ConfigError, match="nosuch"):
        list(iter_documents(["missing"], CorpusConfig(encoding="nosuch")))
