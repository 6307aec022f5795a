"""Tables of passages: all of the text are found, and few others."""

import numpy as np
import pytest

from textgen.gram_table import (
    GRAM_BYTES,
    POWERS,
    bits_of_grams,
    false_positive_rate,
    make_table,
)


def contains(table, grams):
    """Whether passages of 20 bytes are in a table, bool[N]."""
    hashes = np.zeros(len(grams), np.uint64)
    for index, power in enumerate(POWERS):
        values = np.array([gram[index] for gram in grams], np.uint64)
        hashes += values * np.uint64(power)
    bits = bits_of_grams(
        hashes, 8 * table.size, np.uint64, np.right_shift, np.bitwise_and, np.bitwise_xor
    )
    found = [table[bit.astype(int) // 8] >> (bit.astype(int) % 8) & 1 for bit in bits]
    return (found[0] & found[1]).astype(bool)


def grams_of(text):
    return [text[start : start + GRAM_BYTES] for start in range(len(text) - GRAM_BYTES + 1)]


def test_every_passage_of_a_text_is_in_its_table(monkeypatch):
    monkeypatch.setattr("textgen.gram_table._CHUNK", 1000)
    text = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes()
    assert contains(make_table(text), grams_of(text)).all()


def test_the_rate_of_false_positives_is_as_stated():
    noise = np.random.default_rng(1)
    text, other = (noise.integers(0, 256, 40_000).astype(np.uint8).tobytes() for _ in range(2))
    table = make_table(text)
    assert contains(table, grams_of(other)).mean() == pytest.approx(
        false_positive_rate(table), rel=0.3
    )
    assert false_positive_rate(table) < 0.025
    assert table.size <= 3 * len(text)


def test_a_text_shorter_than_a_passage_has_none():
    assert not make_table(b"short").any()
