import gzip
import io
import logging
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import SourceTracker, digest_sources, find_files, read_corpus
from textgen.errors import CorpusError


@pytest.fixture(autouse=True, scope="module", params=[1 << 20, 5], ids=["in MiB", "in 5 bytes"])
def piece_size(request):
    """Read the cleaned corpus in one piece, and in pieces of a character or two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textgen.corpus.document_store.CHUNK_BYTES", request.param)
        yield


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"

    def write(text):
        path.write_text(text, encoding="utf-8", newline="")
        return find_files([path])

    return write


@pytest.fixture(scope="module")
def text_of(join):
    """The text of a part of a corpus with one document."""
    return lambda part: "".join(join(part.blocks()))


def lines(**settings):
    return CorpusConfig(**{"split_documents": "line", "validation_split": 0.1, **settings})


@pytest.mark.parametrize(("length", "validation"), [(1999, 0), (2000, 200)])
def test_a_tenth_that_is_too_short_to_judge_by_is_trained_on(write, text_of, length, validation):
    with read_corpus(write("a" * length), CorpusConfig()) as corpus:
        assert len(text_of(corpus.train)) == length - validation
        assert corpus.facts.validation_characters == validation


def test_the_last_tenth_is_the_validation_part(write, text_of):
    text = "0123字56789" * 1_003 + "abcdef"
    corpus = read_corpus(write(text), CorpusConfig())
    assert text_of(corpus.train) == text[: int(0.9 * len(text))]
    assert text_of(corpus.validation) == text[int(0.9 * len(text)) :]


shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
# Characters of one to four bytes.
characters = st.sampled_from("aé字😀")


@settings(deadline=None)  # It writes files.
@given(text=st.text(st.one_of(characters, st.just("\n")), min_size=2), share=shares)
def test_both_parts_of_a_text_have_a_character(write, text_of, text, share):
    text = "a" + text
    with read_corpus(write(text), CorpusConfig(validation_split=share)) as corpus:
        train, validation = text_of(corpus.train), text_of(corpus.validation)
        # Parts can be read any number of times.
        assert text_of(corpus.train) == train
    assert train + validation == text
    assert len(train) == corpus.train.num_characters > 0
    assert len(validation) == corpus.validation.num_characters > 0


@settings(deadline=None)  # It writes files.
@given(documents=st.lists(st.text(characters, min_size=1), min_size=2), share=shares)
def test_validation_gets_the_last_documents_closest_to_the_fraction(
    write, documents_of, documents, share
):
    corpus = read_corpus(write("\n".join(documents)), lines(validation_split=share))
    train, validation = (
        documents_of(corpus.train.blocks()),
        documents_of(corpus.validation.blocks()),
    )
    assert train + validation == documents
    total = sum(map(len, documents))
    assert corpus.facts.num_characters == total
    assert (len(train), len(validation)) == (
        corpus.train.num_documents,
        corpus.validation.num_documents,
    )
    misses = [
        abs(sum(map(len, documents[cut:])) - total * share) for cut in range(1, len(documents))
    ]
    assert misses[len(train) - 1] == pytest.approx(min(misses))


def test_a_corpus_may_outgrow_memory(write, documents_of, monkeypatch, tmp_path):
    monkeypatch.setattr("textgen.corpus.document_store._MAX_MEMORY_BYTES", 10)
    documents = [f"document {number}" for number in range(100)]
    with read_corpus(write("\n".join(documents)), lines(), tmp_path) as corpus:
        parts = (corpus.train, corpus.validation)
        assert [text for part in parts for text in documents_of(part.blocks())] == documents
    assert list(tmp_path.iterdir()) == []


def test_every_byte_of_a_part_is_reported(write):
    corpus = read_corpus(write("one\ntwo\nthree\n"), lines())
    told = []
    list(corpus.train.blocks(told.append))
    assert sum(told) == corpus.train.num_bytes == len("one two ")


def test_every_byte_that_is_read_is_reported(tmp_path):
    (tmp_path / "1.txt").write_text("one")
    (tmp_path / "2.txt.gz").write_bytes(gzip.compress(b"two"))
    told = []
    read_corpus(find_files([tmp_path]), CorpusConfig(), on_bytes=lambda *told_: told.append(told_))
    total = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert told[-1] == (total, total)


def test_the_size_of_standard_input_is_unknown(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"some text")))
    told = []
    read_corpus(find_files(["-"]), CorpusConfig(), on_bytes=lambda *told_: told.append(told_))
    assert told[-1] == (9, None)


def test_one_document_is_cut_with_a_warning(write, text_of, caplog):
    with caplog.at_level(logging.WARNING):
        corpus = read_corpus(write("0123456789\n"), lines(validation_split=0.2))
    assert (text_of(corpus.train), text_of(corpus.validation)) == ("01234567", "89")
    assert not corpus.facts.has_documents
    assert "only one document" in caplog.text


def test_one_stream_is_cut_without_a_warning(write, caplog):
    read_corpus(write("0123456789"), CorpusConfig(validation_split=0.1))
    assert not caplog.records


@pytest.fixture
def parts(tmp_path):
    """Sources of three files."""
    for name, text in (("a", "one\ntwo\nthree"), ("b", "four\n"), ("c", "five\nsix\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    return [find_files([tmp_path / f"{name}.txt"]) for name in "abc"]


@pytest.mark.parametrize("config", [CorpusConfig(), lines(), lines(validation_split=0)])
def test_validation_and_test_files_are_parts_of_their_own(parts, join, config):
    train, validation, test = parts
    with read_corpus(train, config, validation=validation, test=test) as corpus:
        texts = [join(part.blocks()) for part in (corpus.train, corpus.validation, corpus.test)]
    if config.split_documents == "none":
        wanted = [["one\ntwo\nthree", ""], ["four\n", ""], ["five\nsix\n", ""]]
    else:
        wanted = [["one", "two", "three", ""], ["four", ""], ["five", "six", ""]]
    assert texts == wanted
    facts = corpus.facts
    counts = [sum(map(len, each)) for each in wanted]
    assert [facts.train_characters, facts.validation_characters, facts.test_characters] == counts
    assert facts.num_documents == sum(len(each) - 1 for each in wanted)
    assert facts.has_documents == (config.split_documents == "line")


def test_a_line_of_ones_own_separates_documents(tmp_path, join):
    (tmp_path / "fortunes").write_text("one\n%\ntwo\n%\nthree\n")
    config = CorpusConfig(split_documents="%", validation_split=0.1)
    with read_corpus(find_files([tmp_path / "fortunes"]), config) as corpus:
        assert join(corpus.train.blocks()) == ["one", "two", ""]
        assert corpus.facts.has_documents


def test_test_files_leave_the_validation_fraction_alone(parts, text_of):
    train, _, test = parts
    with read_corpus(train, CorpusConfig(), test=test) as corpus:
        assert text_of(corpus.train) + text_of(corpus.validation) == "one\ntwo\nthree"
        assert text_of(corpus.test) == "five\nsix\n"


@pytest.mark.parametrize("text", ["a", "one\ntwo\n"])
@pytest.mark.parametrize("config", [CorpusConfig(validation_split=0), lines(validation_split=0)])
def test_without_a_validation_fraction_everything_is_trained_on(write, text_of, config, text):
    with read_corpus(write(text), config) as corpus:
        assert "".join(corpus.train.texts()) == (
            text if config.split_documents == "none" else text.replace("\n", "")
        )
        assert list(corpus.validation.blocks()) == list(corpus.test.blocks()) == []
        assert corpus.facts.validation_characters == corpus.validation.num_documents == 0


def test_a_file_in_another_part_is_another_corpus(parts):
    a, b, c = parts
    kinds = [
        ((*a, *b, *c), {}),
        ((*a, *b), {"validation": c}),
        ((*a, *b), {"test": c}),
        (a, {"validation": b, "test": c}),
        (a, {"validation": (*b, *c)}),
    ]
    digests, source_digests = set(), set()
    for sources, others in kinds:
        with read_corpus(sources, lines(validation_split=0), **others) as corpus:
            digests.add(corpus.facts.digest)
            source_digests.add(corpus.facts.source_digest)
        everything = [*sources, *(source for group in others.values() for source in group)]
        tracker = SourceTracker(source.num_bytes for source in everything)
        assert digest_sources(sources, tracker, **others) == corpus.facts.source_digest
    assert len(digests) == len(source_digests) == len(kinds)


def test_a_file_in_two_parts_is_an_error(parts):
    a, b, _ = parts
    with pytest.raises(CorpusError, match=r"b\.txt: a file must be in one part only.* and test"):
        read_corpus(a, CorpusConfig(), validation=b, test=b)


def test_a_validation_file_without_text_is_an_error(parts, tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    empty = find_files([tmp_path / "empty.txt"])
    with pytest.raises(CorpusError, match=r"The validation part is empty.*empty\.txt"):
        read_corpus(parts[0], CorpusConfig(), validation=empty)


def test_has_documents(write):
    paths = write("one\ntwo\n")
    assert read_corpus(paths, lines()).facts.has_documents
    assert not read_corpus(paths, CorpusConfig()).facts.has_documents


def test_the_digest_depends_only_on_the_documents(write, tmp_path):
    paths = write("one\r\ntwo\n")
    copy = tmp_path / "copy.gz"
    copy.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert (
        read_corpus(paths, lines()).facts.digest
        == read_corpus(find_files([copy]), lines()).facts.digest
    )


def test_the_digest_depends_on_text_and_split(write):
    digests = {
        read_corpus(write(text), config).facts.digest
        for text in ("one\ntwo", "one\n\ntwo", "onet\nwo")
        for config in (lines(), CorpusConfig())
    }
    # Split into lines, the first two texts are the same documents.
    assert len(digests) == 5


def source_digest(*paths):
    sources = find_files(paths)
    return digest_sources(sources, SourceTracker(source.num_bytes for source in sources))


def test_sources_are_recognized_without_decoding_them(tmp_path):
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"text\none\ntwo\n"))
    paths = [path, tmp_path / "a.txt"]
    paths[1].write_text("three")
    digest = read_corpus(find_files(paths), CorpusConfig()).facts.source_digest
    assert source_digest(*paths) == digest
    # A renamed file is the same corpus.
    assert source_digest(path.rename(tmp_path / "moved.csv.gz"), paths[1]) == digest


def test_the_digest_of_sources_depends_on_content_kind_and_order(tmp_path):
    for name, text in [("a.txt", "text\n1"), ("b.txt", "2"), ("c.txt", "text\n12")]:
        (tmp_path / name).write_text(text)
    (tmp_path / "a.csv").write_text("text\n1")
    (tmp_path / "empty.txt").write_text("")
    choices = ["ab", "ba", "a", "b", "c"]
    digests = [source_digest(*(tmp_path / f"{name}.txt" for name in names)) for names in choices]
    digests.append(source_digest(tmp_path / "a.csv"))
    digests.append(source_digest(tmp_path / "empty.txt", tmp_path / "c.txt"))
    assert len(set(digests)) == len(digests)


def test_a_source_that_can_be_read_only_once_is_not_read_for_its_digest(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"some text")))
    assert source_digest("-") is None
    assert sys.stdin.buffer.tell() == 0


def test_text_is_cleaned(write, text_of):
    config = CorpusConfig(lowercase=True, strip_punctuation=True, validation_split=0.5)
    corpus = read_corpus(write("A, B!"), config)
    assert (text_of(corpus.train), text_of(corpus.validation)) == ("a", " b")


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff"])
@pytest.mark.parametrize("split", ["none", "line", "blank-line", "file"])
def test_an_empty_corpus_is_an_error(write, text, split):
    with pytest.raises(CorpusError, match=r"The corpus is empty: .* corpus\.txt"):
        read_corpus(write(text), CorpusConfig(split_documents=split))


def test_a_single_character_cannot_be_divided(write):
    with pytest.raises(CorpusError, match="at least 2 characters"):
        read_corpus(write("a"), CorpusConfig(validation_split=0.1))


def test_descriptions(tmp_path, monkeypatch):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("some text")

    def describe(*paths):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"some text")))
        return read_corpus(find_files(paths), CorpusConfig()).facts.description

    assert describe(str(tmp_path / "a.txt")) == "a.txt"
    assert describe(str(tmp_path)) == "2 files"
    assert describe("-") == "standard input"
    assert describe(str(tmp_path), "-") == "2 files and standard input"


def test_one_bad_byte_names_its_file_and_offset(tmp_path):
    path = tmp_path / "bad.txt.gz"
    path.write_bytes(gzip.compress(b"x" * 2_000_000 + b"\xff"))
    with pytest.raises(CorpusError, match=r"bad\.txt\.gz: byte 0xff at offset 2000000 is not"):
        read_corpus(find_files([path]), CorpusConfig())


def test_a_lone_surrogate_is_an_error(tmp_path):
    path = tmp_path / "escaped.txt"
    path.write_text("a\\ud800")
    with pytest.raises(CorpusError, match=r"without lone surrogates\. Received: U\+D800"):
        read_corpus(find_files([path]), CorpusConfig(encoding="unicode_escape"))


def test_a_text_column_needs_a_table(write):
    with pytest.raises(CorpusError, match=r"text_column needs a \.csv.* Received: corpus\.txt"):
        read_corpus(write("text"), CorpusConfig(text_column="text"))
