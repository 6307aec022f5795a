"""A permutation that needs no memory: any place of it can be asked for alone."""

from __future__ import annotations

import numpy as np

# Four rounds make a permutation that no number of looks tells from a random one, as long as the
# halves are large; small halves need more.
_ROUNDS = 8


class Permutation:
    """A pseudo-random order of 0 to `length - 1`.

    A Feistel network permutes the numbers of an even number of bits: each round xors one half
    with a hash of the other, which can be undone whatever the hash. A number that comes out
    past the length goes through it again until it does not ("cycle walking"), on average at
    most four times, because the numbers of so many bits are at most four times the length.

    Args:
        length: of the order, at least 1.
        generator: draws the keys of the rounds.

    Source:
        J. Black and P. Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002; the hash is
        the finalizer of SplitMix64 (G. Steele et al., Fast Splittable Pseudorandom Number
        Generators, OOPSLA 2014).
    """

    def __init__(self, length: int, generator: np.random.Generator) -> None:
        self._length = np.uint64(length)
        half = max(1, (int(length - 1).bit_length() + 1) // 2)
        self._half = np.uint64(half)
        self._mask = np.uint64(2**half - 1)
        self._keys = generator.integers(2**64, size=_ROUNDS, dtype=np.uint64)

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        """Return the numbers at `places`, both int64[n] in [0, length)."""
        numbers = self._encipher(places.astype(np.uint64))
        while (outside := numbers >= self._length).any():
            numbers[outside] = self._encipher(numbers[outside])
        return numbers.astype(np.int64)

    def _encipher(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            left, right = right, left ^ (_hash(right + key) & self._mask)
        return left << self._half | right


def _hash(values: np.ndarray) -> np.ndarray:
    """Mix the bits of uint64[n]; wraps around at 2**64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
