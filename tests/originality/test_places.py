"""Passages in files: found by their line, however the files are written."""

import gzip

import pytest

from textgen.config import CorpusConfig
from textgen.corpus.sources import CHUNK_BYTES
from textgen.originality.places import Place, find_places

TEXT = "One.\r\nTwo.\r\nThe third line,\r\nand the fourth.\r\n"
PASSAGE = "third line,\nand the"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_lines_count_those_of_the_file(tmp_path, encoding):
    file = tmp_path / "text.txt"
    file.write_bytes(TEXT.encode(encoding))
    found = find_places([str(file)], CorpusConfig(encoding=encoding), [PASSAGE, "absent"])
    assert found == {PASSAGE: Place(str(file), 3)}


def test_a_cleaned_passage_is_found_in_the_text_that_it_comes_from(tmp_path):
    file = tmp_path / "text.txt.gz"
    file.write_bytes(gzip.compress(b"<p>\n\nOnce, upon a TIME\n</p>"))
    config = CorpusConfig(strip_html=True, lowercase=True, strip_punctuation=True)
    assert find_places([str(file)], config, ["once upon a"])["once upon a"].line == 3


def test_the_first_file_that_holds_a_passage_is_named(tmp_path):
    files = [tmp_path / name for name in ("absent.txt", "other.txt", "first.txt", "second.txt")]
    for file in files[1:]:
        file.write_text("nothing" if file.stem == "other" else TEXT, "utf-8")
    found = find_places([*map(str, files)], CorpusConfig(), [PASSAGE])
    assert found[PASSAGE].file == str(files[2])


def test_a_passage_may_span_two_pieces_of_a_file(tmp_path):
    file = tmp_path / "long.txt"
    line = "0123456789" * 10 + "\n"
    before = line * (CHUNK_BYTES // len(line) - 1)
    before += "x" * (CHUNK_BYTES - len(before) - 5)
    file.write_text(f"{before}A\nand the rest of it\n{before}\nThe end.", "utf-8")
    found = find_places([str(file)], CorpusConfig(), ["A\nand the rest", "The end."])
    first = before.count("\n") + 1
    assert [found[text].line for text in ("A\nand the rest", "The end.")] == [first, 2 * first + 2]
