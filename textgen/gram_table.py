"""A table of the passages of twenty bytes in a text, for NumPy and for TensorFlow.

A Bloom filter (Burton H. Bloom, "Space/time trade-offs in hash coding with allowable errors",
1970): two bits stand for each passage. The table finds every passage of the text, and mistakes
about one in a hundred others for one. It takes two to three bytes per byte of the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from textgen.splitmix import finalize

GRAM_BYTES = 20
# The multiplier of a 64-bit linear congruential generator (Knuth, MMIX).
_FACTOR = 6364136223846793005
# A passage's hash is the sum of its bytes times these, modulo 2**64.
POWERS = [pow(_FACTOR, GRAM_BYTES - 1 - index, 2**64) for index in range(GRAM_BYTES)]
# The minimum number of bits per passage. The total is rounded up to a power of two.
_BITS_PER_GRAM = 12
_CHUNK = 1 << 20
_ONES = np.array([byte.bit_count() for byte in range(256)])


def make_table(text: bytes) -> np.ndarray:
    """Return the table of a text, uint8[2**k]."""
    num_grams = max(len(text) - GRAM_BYTES + 1, 1)
    num_bits = 1 << max((_BITS_PER_GRAM * num_grams - 1).bit_length(), 6)
    table = np.zeros(num_bits // 8, np.uint8)
    for start in range(0, len(text) - GRAM_BYTES + 1, _CHUNK):
        part = np.frombuffer(text[start : start + _CHUNK + GRAM_BYTES - 1], np.uint8)
        count = len(part) - GRAM_BYTES + 1
        grams = np.zeros(count, np.uint64)
        for index, power in enumerate(POWERS):
            grams += part[index : index + count].astype(np.uint64) * np.uint64(power)
        for bit in bits_of_grams(
            grams, num_bits, np.uint64, np.right_shift, np.bitwise_and, np.bitwise_xor
        ):
            place = bit.astype(np.int64)
            np.bitwise_or.at(table, place >> 3, np.left_shift(1, place & 7).astype(np.uint8))
    return table


def bits_of_grams(
    grams: Any,
    num_bits: int,
    uint64: Callable[[int], Any],
    right_shift: Callable[[Any, Any], Any],
    bitwise_and: Callable[[Any, Any], Any],
    bitwise_xor: Callable[[Any, Any], Any],
) -> list[Any]:
    """Return which two bits of a table stand for passages.

    Args:
        grams: uint64, any shape, the hashes of the passages.
        num_bits: Bits of the table, a power of two.
        uint64: The library's function that makes a constant.
        right_shift: The library's elementwise shift.
        bitwise_and: The library's elementwise and.
        bitwise_xor: The library's elementwise exclusive or.

    Returns:
        Two times uint64 of the same shape: bit `n` is bit `n % 8` of byte `n // 8`.
    """
    mixed = finalize(grams, uint64, right_shift, bitwise_xor)
    mask = uint64(num_bits - 1)
    return [bitwise_and(each, mask) for each in (mixed, right_shift(mixed, uint64(32)))]


def false_positive_rate(table: np.ndarray) -> float:
    """Return how likely a passage that is not in the text seems to be in it."""
    num_ones = np.bincount(table, minlength=256) @ _ONES
    return float(num_ones / (8 * table.size)) ** 2
