"""How hard a corpus is, and how often it may be read."""

from textgen.planning import compressed_bits


def test_text_that_repeats_itself_takes_fewer_bits():
    assert compressed_bits("to be or not to be. " * 50) < 1
    assert compressed_bits("") > 0
