"""Choosing and learning the tokenizer that suits a corpus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.tokenizer import learn_tokenizer, learning, recommended


@pytest.mark.parametrize(
    ("num_characters", "distinct", "kind", "vocab_size"),
    [
        (0, 0, "character", 512),
        (34_000, 70, "character", 512),  # the fables
        (250_000, 65, "bpe", 1024),
        (1_000_000, 65, "bpe", 2048),  # Shakespeare
        (10_000, 1479, "character", 512),  # the Chinese poems
        (5_000_000, 5000, "character", 4096),
        (10**9, 200, "bpe", 16384),
    ],
)
def test_small_corpora_and_large_scripts_get_characters(num_characters, distinct, kind, vocab_size):
    assert recommended(num_characters, distinct) == (kind, vocab_size)


TEXT = ["to be or not to be, that is the question\n" * 50]


def test_auto_learns_what_suits_the_corpus():
    assert learn_tokenizer(lambda: TEXT, "auto").kind == "character"
    assert learn_tokenizer(lambda: TEXT * 60, "auto").kind == "bpe"
    # Three thousand characters, each seen a hundred times: a large script.
    script = ["".join(map(chr, range(0x4E00, 0x5A00)))] * 100
    assert learn_tokenizer(lambda: script, "auto").kind == "character"


def test_the_requested_kind_is_learned():
    assert learn_tokenizer(lambda: TEXT * 60, "character").kind == "character"
    tokenizer = learn_tokenizer(lambda: TEXT, "bpe", vocab_size=270)
    assert (tokenizer.kind, tokenizer.vocab_size) == ("bpe", 270)
    assert learn_tokenizer(lambda: TEXT, "bpe").vocab_size <= 512


def test_rare_characters_are_unknown_to_the_character_tokenizer():
    tokenizer = learn_tokenizer(lambda: [*TEXT, "☃"], "character", min_count=2)
    assert tokenizer.unknown_characters("a☃") == ["☃"]


def test_auto_chooses_by_all_characters_whatever_the_min_count():
    assert learn_tokenizer(lambda: TEXT * 60, "auto", min_count=10**6).kind == "bpe"
    rare = ["".join(map(chr, range(0x4E00, 0x5A00)))] * 100 + ["common"] * 1000
    assert learn_tokenizer(lambda: rare, "auto", min_count=500).characters == sorted("comn")


def test_bpe_ignores_min_count():
    assert learn_tokenizer(lambda: TEXT, "bpe", min_count=10**6).kind == "bpe"


@given(st.integers(0, 10**12), st.integers(0, 150_000))
def test_a_bpe_vocabulary_has_room_for_the_script(num_characters, distinct):
    kind, vocab_size = recommended(num_characters, distinct)
    assert kind in ("bpe", "character")
    if kind == "bpe":
        assert 512 <= vocab_size <= 2**14
        assert vocab_size >= 4 * distinct


def test_bpe_learns_from_texts_spread_over_a_long_corpus(monkeypatch):
    monkeypatch.setattr(learning, "_MAX_LEARNED_CHARACTERS", 100)
    texts = ["aaaaaaaaaa" if number % 4 == 0 else "bbbbbbbbbb" for number in range(40)]
    tokenizer = learn_tokenizer(lambda: texts, "bpe", vocab_size=270)
    assert {piece[:1] for piece in tokenizer.pieces[259:]} == {b"a"}
