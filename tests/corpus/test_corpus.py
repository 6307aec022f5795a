import gzip
import io
import logging
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import read_corpus
from textgen.errors import CorpusError


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"

    def write(text):
        path.write_text(text, encoding="utf-8", newline="")
        return [str(path)]

    return write


def lines(**settings):
    return CorpusConfig(split_documents="line", **settings)


def test_a_tenth_at_the_end_is_for_validation(write):
    text = "0123456789" * 100_003 + "abcdef"
    corpus = read_corpus(write(text), CorpusConfig())
    assert corpus.train == (text[: int(0.9 * len(text))],)
    assert corpus.validation == (text[int(0.9 * len(text)) :],)


shares = st.floats(0, 1, exclude_min=True, exclude_max=True)


@settings(deadline=None)  # It writes files.
@given(text=st.text("ab", min_size=2), share=shares)
def test_both_parts_of_a_text_hold_something(write, text, share):
    corpus = read_corpus(write(text), CorpusConfig(validation_split=share))
    assert corpus.train[0] + corpus.validation[0] == text
    assert corpus.train[0]
    assert corpus.validation[0]


@settings(deadline=None)  # It writes files.
@given(documents=st.lists(st.text("ab", min_size=1), min_size=2), share=shares)
def test_validation_is_the_last_documents_closest_to_the_share(write, documents, share):
    corpus = read_corpus(write("\n".join(documents)), lines(validation_split=share))
    assert [*corpus.train, *corpus.validation] == documents
    total = sum(map(len, documents))
    assert corpus.num_characters == total
    misses = [
        abs(sum(map(len, documents[cut:])) - total * share) for cut in range(1, len(documents))
    ]
    assert misses[len(corpus.train) - 1] == pytest.approx(min(misses))


def test_one_document_is_cut_with_a_warning(write, caplog):
    with caplog.at_level(logging.WARNING):
        corpus = read_corpus(write("0123456789\n"), lines(validation_split=0.2))
    assert (corpus.train, corpus.validation) == (("01234567",), ("89",))
    assert not corpus.has_documents
    assert "one document only" in caplog.text


def test_one_stream_is_cut_without_a_warning(write, caplog):
    read_corpus(write("0123456789"), CorpusConfig())
    assert not caplog.records


def test_has_documents(write):
    paths = write("one\ntwo\n")
    assert read_corpus(paths, lines()).has_documents
    assert not read_corpus(paths, CorpusConfig()).has_documents


def test_the_digest_depends_on_the_documents_alone(write, tmp_path):
    paths = write("one\r\ntwo\n")
    copy = tmp_path / "copy.gz"
    copy.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert read_corpus(paths, lines()).digest == read_corpus([str(copy)], lines()).digest


def test_the_digest_depends_on_text_and_split(write):
    digests = {
        read_corpus(write(text), config).digest
        for text in ("one\ntwo", "one\n\ntwo", "onet\nwo")
        for config in (lines(), CorpusConfig())
    }
    # Split into lines, the first two texts are the same documents.
    assert len(digests) == 5


def test_text_is_cleaned(write):
    config = CorpusConfig(lowercase=True, strip_punctuation=True, validation_split=0.5)
    corpus = read_corpus(write("A, B!"), config)
    assert corpus.train + corpus.validation == ("a", " b")


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff"])
@pytest.mark.parametrize("split", ["none", "line", "blank-line", "file"])
def test_an_empty_corpus_is_an_error(write, text, split):
    with pytest.raises(CorpusError, match=r"The corpus is empty: .* corpus\.txt"):
        read_corpus(write(text), CorpusConfig(split_documents=split))


def test_one_character_cannot_be_divided(write):
    with pytest.raises(CorpusError, match="at least 2 characters"):
        read_corpus(write("a"), CorpusConfig())


def test_descriptions(tmp_path, monkeypatch):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("some text")

    def describe(*paths):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"some text")))
        return read_corpus(paths, CorpusConfig()).description

    assert describe(str(tmp_path / "a.txt")) == "a.txt"
    assert describe(str(tmp_path)) == "2 files"
    assert describe("-") == "standard input"
    assert describe(str(tmp_path), "-") == "2 files and standard input"


def test_one_bad_byte_names_its_file_and_offset(tmp_path):
    path = tmp_path / "bad.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 2_000_000 + b"\xff"))
    with pytest.raises(CorpusError, match=r"bad\.txt\.gz: byte 0xff at offset 2000000 is not"):
        read_corpus([str(path)], CorpusConfig())
