"""Copies: all planted ones are found, and no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textgen.errors import ConfigError, CorpusError
from textgen.originality import CorpusIndex, Passage, trace

TEXTS = st.sampled_from(["ab", "abc ", "中字a\n", "é😀"])


def longest_copies(corpus, text, min_characters):
    """The same by trying everything."""
    found = []
    for start in range(len(text)):
        end = max(end for end in range(start, len(text) + 1) if text[start:end] in corpus)
        if end - start >= min_characters and (not found or end > found[-1].end):
            line = corpus.encode()[: corpus.encode().index(text[start:end].encode())].count(b"\n")
            found.append(Passage(start, end, line + 1))
    return found


@given(
    TEXTS.flatmap(lambda a: st.tuples(st.text(a, max_size=40), st.text(a, max_size=30))),
    st.integers(1, 5),
)
@settings(max_examples=2000)
def test_the_passages_are_those_that_trying_everything_finds(pair, min_characters):
    corpus, text = pair
    found = trace(CorpusIndex.of(corpus.encode()), text, min_characters)
    wanted = longest_copies(corpus, text, min_characters)
    assert [each[:2] for each in found.passages] == [each[:2] for each in wanted]
    for passage in found.passages:
        line = corpus.split("\n")[passage.line - 1] if corpus else ""
        assert text[passage.start : passage.end].split("\n")[0] in line
    covered = {i for each in wanted for i in range(each.start, each.end)}
    assert found.fraction == len(covered) / max(len(text), 1)
    assert found.longest == max((each.length for each in wanted), default=0)


def test_planted_copies_are_found_in_noise():
    noise = np.random.default_rng(0)
    letters = np.array(list("abcdefgh 明\n"))
    corpus = "".join(noise.choice(letters, 50_000))
    index = CorpusIndex.of(corpus.encode())
    for size in (19, 20, 21, 300):
        start = int(noise.integers(0, len(corpus) - size))
        text = "X" * 40 + corpus[start : start + size] + "Y" * 40
        passages = trace(index, text).passages
        assert [each[:2] for each in passages] == ([(40, 40 + size)] if size >= 20 else [])


def test_an_index_is_kept_and_mapped(tmp_path):
    text = "Lines of\ntext, é and 明.\n" * 9
    CorpusIndex.of(text.encode()).save(tmp_path / "index")
    kept = CorpusIndex.open(tmp_path / "index")
    assert kept.find("é and 明".encode()) is not None
    assert kept.find(b"absent") is None
    assert trace(kept, text[5:60]).passages[0][:2] == (0, 55)
    (tmp_path / "index" / "text.bin").write_bytes(b"short")
    with pytest.raises(CorpusError, match="the index is damaged"):
        CorpusIndex.open(tmp_path / "index")
    with pytest.raises(CorpusError):
        CorpusIndex.open(tmp_path / "none")
    elsewhere = CorpusIndex(b"abc", np.array([-7, -7, -7], np.int32))
    with pytest.raises(CorpusError, match="holds the position -7"):
        elsewhere.find(b"")


@pytest.mark.parametrize("corpus", ["", "a"])
def test_the_smallest_corpora(corpus, tmp_path):
    CorpusIndex.of(corpus.encode()).save(tmp_path / "index")
    assert trace(CorpusIndex.open(tmp_path / "index"), "ab", 1).longest == len(corpus)


def test_a_length_must_be_positive():
    with pytest.raises(ConfigError, match="min_characters must be an integer >= 1"):
        trace(CorpusIndex.of(b"a"), "a", 0)
