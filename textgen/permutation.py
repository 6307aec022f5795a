"""A random order that takes no memory: the number at any position is computed on its own."""

from __future__ import annotations

import numpy as np

from textgen.splitmix import finalize

# Four rounds suffice to make a permutation that looks random if its halves are large; small
# halves need more.
_ROUNDS = 8


class Permutation:
    """A pseudo-random order of the numbers 0 to `length - 1`.

    A Feistel network permutes the numbers of an even number of bits: each round xors one half
    with a hash of the other, which can be undone whatever the hash is. A number that comes out
    too large goes through the network again until it fits ("cycle walking"). This takes at
    most four passes on average, because there are at most four times `length` such numbers.

    Args:
        length: Length of the order, at least 1.
        generator: Source of the rounds' keys.

    Example:
        >>> order = Permutation(5, np.random.default_rng(0))
        >>> order[np.arange(5)]
        array([0, 2, 4, 3, 1])

    Source:
        J. Black and P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002. The hash
        is `textgen.splitmix.finalize`.
    """

    def __init__(self, length: int, generator: np.random.Generator) -> None:
        self._length = np.uint64(length)
        half = max(1, (int(length - 1).bit_length() + 1) // 2)
        self._half = np.uint64(half)
        self._mask = np.uint64(2**half - 1)
        self._keys = generator.integers(2**64, size=_ROUNDS, dtype=np.uint64)

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        """Return the numbers at `positions`.

        Args:
            positions: int64[n] in [0, length).

        Returns:
            int64[n] in [0, length).
        """
        numbers = self._encipher(positions.astype(np.uint64))
        while (outside := numbers >= self._length).any():
            numbers[outside] = self._encipher(numbers[outside])
        return numbers.astype(np.int64)

    def _encipher(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            mixed = finalize(right + key, np.uint64, np.right_shift, np.bitwise_xor)
            left, right = right, left ^ (mixed & self._mask)
        return left << self._half | right
