"""The characters of a corpus: scripts, rare ones, control characters, traces of wrong decoding."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping

from textgen.inspection.finding import Finding, count

_MAX_EXAMPLES = 5
# A model cannot learn a character that occurs less often.
_RARE = 5
_REPLACEMENT = "\ufffd"
# UTF-8 that was decoded as latin-1 or cp1252: a lead byte as a letter, then a continuation byte,
# which is a control character, a sign or punctuation there.
_MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0192\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u02c6\u02dc"
    "\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
    "|\u00e2(?:\u20ac|\u0080)[\u0080-\u00bf\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u00a6"
    "\u2122\u0153\u02dc]|\u00ef\u00bb\u00bf"
)


def find_mojibake(text: str) -> list[str]:
    """Return the places where UTF-8 was decoded as another encoding.

    Example:
        >>> find_mojibake("The cafÃ©")
        ['Ã©']
    """
    return _MOJIBAKE.findall(text)


def entropy(counts: Mapping[str, int]) -> float:
    """Return the entropy of single characters in bits.

    Example:
        >>> entropy({"a": 2, "b": 2})
        1.0
    """
    total = sum(counts.values())
    return sum(n / total * math.log2(total / n) for n in counts.values() if n)


def scripts(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Return the scripts of the letters with their fractions, the most frequent first.

    Example:
        >>> scripts({"a": 3, "я": 1, " ": 9})
        [('Latin', 0.75), ('Cyrillic', 0.25)]
    """
    found: Counter[str] = Counter()
    for character, number in counts.items():
        if character.isalpha():
            # Unicode names begin with the script: LATIN SMALL LETTER A, CJK UNIFIED IDEOGRAPH-.
            name = unicodedata.name(character, "UNKNOWN").split()[0].split("-")[0]
            found["CJK" if name in ("CJK", "IDEOGRAPHIC") else name.capitalize()] += number
    total = found.total()
    return [(name, number / total) for name, number in found.most_common()]


def character_findings(counts: Mapping[str, int], mojibake: Counter[str]) -> Iterator[Finding]:
    """Yield what is wrong with the characters of a corpus.

    Args:
        counts: How often each character occurs.
        mojibake: How often each trace of wrong decoding occurs.
    """
    if mojibake:
        yield Finding(
            "mojibake",
            mojibake.total(),
            f"UTF-8 was read as another encoding in {count(mojibake.total(), 'place')}.",
            "Repair the files, for example with ftfy, or get them in UTF-8.",
            examples=_shown(mojibake),
        )
    if lost := counts.get(_REPLACEMENT, 0):
        yield Finding(
            "replacement characters",
            lost,
            f"Another program could not decode {count(lost, 'character')}: U+FFFD.",
            "They cannot be repaired here: get the original files.",
        )
    controls = _of_categories(counts, ("Cc",), "\n\t")
    if controls:
        yield Finding(
            "control characters",
            controls.total(),
            f"There are control characters: {controls.total():,}.",
            "Remove them, or the model will generate them.",
            examples=_shown(controls),
        )
    invisible = _of_categories(counts, ("Cf", "Co", "Cn", "Zl", "Zp"), "\u200c\u200d")
    if invisible:
        yield Finding(
            "invisible characters",
            invisible.total(),
            "There are invisible or unassigned characters, such as soft hyphens: "
            f"{invisible.total():,}.",
            "Remove them, or normalize the corpus.",
            {"normalize": "nfkc"},
            _shown(invisible),
        )
    rare = {c: n for c, n in counts.items() if n < _RARE}
    if rare and len(rare) > len(counts) // 10:
        yield Finding(
            "rare characters",
            len(rare),
            f"{len(rare):,} of {len(counts):,} different characters occur less than {_RARE} times.",
            "A character model cannot learn them: make them the unknown token, or use BPE.",
            {"min_count": _RARE},
            _shown(Counter(rare)),
        )


def _of_categories(
    counts: Mapping[str, int], categories: tuple[str, ...], allowed: str
) -> Counter[str]:
    return Counter(
        {
            c: n
            for c, n in counts.items()
            if unicodedata.category(c) in categories and c not in allowed
        }
    )


def _shown(cases: Counter[str]) -> tuple[str, ...]:
    return tuple(
        f"{text if text.isprintable() else ''} "
        f"({' '.join(f'U+{ord(c):04X}' for c in text)}): {number:,}".strip()
        for text, number in cases.most_common(_MAX_EXAMPLES)
    )
