"""How hard a corpus is, and how often it may be read."""

from textgen.planning import compressed_bits


def test_text_that_repeats_itself_takes_fewer_bits():
    assert 0 < compressed_bits("to be or not to be. " * 50) < 1


def test_what_the_compressor_adds_to_any_text_does_not_count():
    assert compressed_bits("") == 0
