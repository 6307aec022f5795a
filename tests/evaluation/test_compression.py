"""Compressors use the training part, and cost nothing for it."""

from textgen.evaluation.compression import compressed_bits


def test_what_the_training_part_holds_is_cheap():
    text = b"".join(b"%d bottles of %d beers; " % (i * i, i**3) for i in range(60))
    alone, after = compressed_bits(text, b""), compressed_bits(text, b"Once. " + text)
    assert set(alone) == {"gzip", "bzip2", "xz", "zstd"}
    assert all(after[name] < alone[name] / 2 for name in alone)
    assert all(0 < bits < 8 * len(text) for bits in alone.values())
