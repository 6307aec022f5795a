"""The tokenizer that suits a corpus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.tokenizer import recommended


@pytest.mark.parametrize(
    ("num_characters", "distinct", "wanted"),
    [
        (0, 0, ("character", 3)),
        (34_000, 70, ("character", 73)),  # the fables
        (250_000, 65, ("bpe", 1024)),
        (1_000_000, 65, ("bpe", 2048)),  # Shakespeare
        (10_000, 1479, ("character", 1482)),  # the Chinese poems
        (5_000_000, 5000, ("character", 5003)),
        (10**9, 200, ("bpe", 16384)),
    ],
)
def test_small_corpora_and_large_scripts_keep_characters(num_characters, distinct, wanted):
    assert recommended(num_characters, distinct) == wanted


@given(st.integers(0, 10**12), st.integers(0, 150_000))
def test_byte_pairs_have_room_for_the_script_and_the_bytes(num_characters, distinct):
    kind, vocab_size = recommended(num_characters, distinct)
    assert kind in ("bpe", "character")
    if kind == "bpe":
        assert 512 <= vocab_size <= 2**14
        assert vocab_size >= 4 * distinct
