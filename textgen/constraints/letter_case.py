"""The characters that differ from a character only in case."""

from __future__ import annotations

import functools

# No cased letters follow the Adlam script.
_NUM_CODE_POINTS = 0x1E944


def case_variants(character: str) -> tuple[str, ...]:
    """Return a character and those that are the same but for case, in any script.

    Example:
        >>> case_variants("σ")
        ('Σ', 'σ', 'ς')
    """
    return _variants().get(character.casefold(), (character,))


@functools.cache
def _variants() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for character in map(chr, range(_NUM_CODE_POINTS)):
        folded = character.casefold()
        if folded != character or character.upper() != character:
            found.setdefault(folded, []).append(character)
    return {
        folded: tuple(sorted({*characters, *(folded if len(folded) == 1 else "")}))
        for folded, characters in found.items()
    }
