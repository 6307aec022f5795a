r"""Where a text is cut into words, which no merge of byte-level BPE crosses.

Every character belongs to one of four classes, and whether a word starts at a character
follows from the classes of its two neighbours:

- letters run on, and so do other characters (punctuation, symbols, control characters);
- one blank before such a run belongs to it, as in " the" and " =";
- blanks that are left over, as in indentation, run on;
- a digit and a line end are words of their own. Numbers are endless, and a small vocabulary
  has better uses. And were ":\n" a token, a prompt that ends with "ROMEO:" would end where
  no text of the training does.

The classes are ranges of code points written out here, because Python, TensorFlow (ICU) and
`tokenizers` (Oniguruma) each bring a Unicode table of another version, and would not agree on
the `\p{L}` that other tokenizers use. A character that is not listed is a letter: scripts,
combining marks, emoji and their joiners, whatever Unicode has yet to add. Listed is the
punctuation of Latin-1, of the general block and of East Asia, where no space divides words.
The apostrophes are letters, for "don't" and "l’eau".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LETTER, OTHER, BLANK, SINGLE = range(4)

# The first code point of each range, and the class up to the next range.
RANGES = (
    (0x0000, OTHER),
    (0x0009, BLANK),
    (0x000A, SINGLE),
    (0x000B, OTHER),
    (0x000D, SINGLE),
    (0x000E, OTHER),
    (0x0020, BLANK),
    (0x0021, OTHER),
    (0x0027, LETTER),  # apostrophe
    (0x0028, OTHER),
    (0x0030, SINGLE),  # 0 to 9
    (0x003A, OTHER),
    (0x0041, LETTER),  # A to Z
    (0x005B, OTHER),
    (0x0061, LETTER),  # a to z
    (0x007B, OTHER),
    (0x00C0, LETTER),
    (0x2000, OTHER),  # spaces
    (0x200C, LETTER),  # joiners
    (0x2010, OTHER),  # dashes, quotation marks
    (0x2019, LETTER),  # typographic apostrophe
    (0x201A, OTHER),
    (0x2070, LETTER),
    (0x3000, OTHER),  # 、。
    (0x3005, LETTER),  # 々〆〇
    (0x3008, OTHER),  # 「」
    (0x3021, LETTER),
    (0xFF01, OTHER),  # fullwidth ！（），
    (0xFF10, LETTER),
    (0xFF1A, OTHER),
    (0xFF21, LETTER),
    (0xFF3B, OTHER),
    (0xFF41, LETTER),
    (0xFF5B, OTHER),
    (0xFF66, LETTER),
)

# A longer word is cut, so that time grows linearly with the text whatever it is: Chinese
# without punctuation, base64, a line of dashes.
MAX_CHARACTERS = 64


def _members(wanted: int) -> str:
    """Return the characters of a class as the inside of a regular expression's brackets."""
    ends = [start - 1 for start, _ in RANGES[1:]] + [0x10FFFF]
    return "".join(
        f"{chr(start)}-{chr(end)}"
        for (start, kind), end in zip(RANGES, ends, strict=True)
        if kind == wanted
    )


_LETTER, _BLANK, _SINGLE = (f"[{_members(kind)}]" for kind in (LETTER, BLANK, SINGLE))
_OTHER = f"[^{_members(LETTER)}{_members(BLANK)}{_members(SINGLE)}]"

# Matches one word after the other; for `tokenizers`, too. The last alternative leaves the last
# of several blanks to the letter or other character behind it.
PATTERN = "|".join(
    (
        f"{_BLANK}{_LETTER}{{1,{MAX_CHARACTERS - 1}}}",
        f"{_LETTER}{{1,{MAX_CHARACTERS}}}",
        f"{_BLANK}{_OTHER}{{1,{MAX_CHARACTERS - 1}}}",
        f"{_OTHER}{{1,{MAX_CHARACTERS}}}",
        _SINGLE,
        f"{_BLANK}{{1,{MAX_CHARACTERS}}}(?!{_LETTER}|{_OTHER})",
    )
)

# Behind a match a word starts, whatever follows.
_SEAM = f"{_SINGLE}|{_LETTER}(?!{_LETTER})"
_PART_CHARACTERS = 2**12


def words(text: str) -> list[str]:
    """Cut a text into words, which together are the text."""
    return re.findall(PATTERN, text)


def parts(text: str) -> Iterator[str]:
    """Cut a long text between words into parts of some 4 thousand characters.

    A part grows longer only while there is neither a digit nor the end of a line or of a
    run of letters.
    """
    pattern = re.compile(_SEAM)  # compiling it is slow: not at import
    start = 0
    while start < len(text):
        seam = pattern.search(text, start + _PART_CHARACTERS)
        end = seam.end() if seam else len(text)
        yield text[start:end]
        start = end
