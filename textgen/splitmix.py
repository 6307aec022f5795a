"""SplitMix64's finalizer, stated once for NumPy and for TensorFlow.

It maps the 64-bit integers to themselves, one to one, so that close inputs have unrelated
outputs (G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators",
OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# 2**64 / the golden ratio: successive states of the generator differ by it.
GOLDEN_GAMMA = 0x9E3779B97F4A7C15


def finalize(
    values: Any,
    uint64: Callable[[int], Any],
    right_shift: Callable[[Any, Any], Any],
    bitwise_xor: Callable[[Any, Any], Any],
) -> Any:
    """Mix the bits of every value.

    Args:
        values: uint64, any shape, an array of any library whose products wrap around at 2**64.
        uint64: The library's function that makes a constant.
        right_shift: The library's elementwise shift.
        bitwise_xor: The library's elementwise exclusive or.

    Returns:
        uint64 of the same shape.

    Example:
        >>> finalize(np.array([1], np.uint64), np.uint64, np.right_shift, np.bitwise_xor)
        array([6238072747940578789], dtype=uint64)
    """
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = bitwise_xor(values, right_shift(values, uint64(shift))) * uint64(factor)
    return bitwise_xor(values, right_shift(values, uint64(31)))
