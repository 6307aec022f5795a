r"""Which characters are letters, numbers and spaces, as tables.

The patterns of published tokenizers use `\p{L}`, `\p{N}` and `\s`, and every library that knows
these classes contains another version of the Unicode tables: Python, TensorFlow, and
`tokenizers`, which contains two. So the tables are made once, when a tokenizer is imported, by
asking `tokenizers` for every code point, and they are kept in the tokenizer's file. From then
on host and graph read only them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple

Ranges = tuple[tuple[int, int], ...]

LETTER, NUMBER, SPACE, DIGIT, OTHER = range(5)

_LAST = 0x10FFFF
# Longer texts take `tokenizers` longer per character.
_CHUNK = 2**11


class CharacterClasses(NamedTuple):
    r"""Classes of characters, each as ranges of code points, first and last, in order.

    Attributes:
        letters: `\p{L}`.
        numbers: `\p{N}`.
        spaces: `\s`.
        digits: The characters that a tokenizer separates digit by digit. `tokenizers` decides
            by other tables than those of `\p{N}`.

    Example:
        >>> CharacterClasses.of_library().spaces[:3]
        ((9, 13), (32, 32), (133, 133))
    """

    letters: Ranges
    numbers: Ranges
    spaces: Ranges
    digits: Ranges

    @classmethod
    @cache
    def of_library(cls) -> CharacterClasses:
        """Return the classes of the installed `tokenizers`; takes a few seconds."""
        from tokenizers import Regex, pre_tokenizers

        def matched(pattern: str) -> Ranges:
            split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
            return _found(split.pre_tokenize_str)

        # Runs of digits and of other characters alternate; a letter in front tells which is which.
        digits = pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str
        return cls(
            letters=matched(r"\p{L}+"),
            numbers=matched(r"\p{N}+"),
            spaces=matched(r"\s+"),
            digits=_found(lambda text: digits(text)[1::2], before="a"),
        )

    def kinds(self, separates_digits: bool) -> list[tuple[int, int]]:
        """Return the kind of every character.

        Args:
            separates_digits: Whether the kind of a digit is `DIGIT`, whatever else it is.

        Returns:
            The first code point of each range, in order and from 0, and the kind up to the next.

        Example:
            >>> classes = CharacterClasses(((97, 122),), ((48, 57),), ((32, 32),), ((48, 57),))
            >>> classes.kinds(separates_digits=False)
            [(0, 4), (32, 2), (33, 4), (48, 1), (58, 4), (97, 0), (123, 4)]
        """
        named = {LETTER: self.letters, NUMBER: self.numbers, SPACE: self.spaces}
        if separates_digits:
            named[DIGIT] = self.digits
        edges = sorted(
            {0} | {end for ranges in named.values() for a, b in ranges for end in (a, b + 1)}
        )
        kinds = [OTHER] * len(edges)
        for kind, ranges in named.items():
            for first, last in ranges:
                start, end = bisect_left(edges, first), bisect_left(edges, last + 1)
                kinds[start:end] = [kind] * (end - start)
        return [(edge, kind) for edge, kind in zip(edges, kinds, strict=True) if edge <= _LAST]

    def to_dict(self) -> dict[str, str]:
        """Return the ranges as readable text, from which `from_dict` builds them again."""
        return {
            name: " ".join(
                f"{first:X}" if first == last else f"{first:X}-{last:X}" for first, last in ranges
            )
            for name, ranges in self._asdict().items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> CharacterClasses:
        """Build the classes from the result of `to_dict`.

        Raises:
            ValueError: If a text does not hold ranges in ascending order.
        """
        return cls(*(tuple(_parse(values[name])) for name in cls._fields))


def _parse(text: str) -> Iterator[tuple[int, int]]:
    before = -1
    for part in text.split():
        first, _, last = part.partition("-")
        start, end = int(first, 16), int(last or first, 16)
        if not before < start <= end <= _LAST:
            raise ValueError(f"ranges of characters must ascend up to {_LAST:X}. Received: {part}")
        before = end
        yield start, end


def _found(
    find: Callable[[str], Iterable[tuple[str, tuple[int, int]]]], before: str = ""
) -> Ranges:
    """Return the ranges of the characters that `find` finds in a text of all characters."""
    ranges: list[tuple[int, int]] = []
    for first in range(0, _LAST + 1, _CHUNK):
        # Surrogates are no characters.
        if not 0xD800 <= first <= 0xDFFF:
            text = before + "".join(map(chr, range(first, first + _CHUNK)))
            for _, (start, end) in find(text):
                start, end = (first + offset - len(before) for offset in (start, end))
                if ranges and ranges[-1][1] == start - 1:
                    start = ranges.pop()[0]
                ranges.append((start, end - 1))
    return tuple(ranges)
