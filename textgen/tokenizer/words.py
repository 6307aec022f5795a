r"""Where a text is cut into words; no BPE merge crosses a word's end.

    "The quick fox, 1597" -> "The", " quick", " fox", ",", " ", "1", "5", "9", "7"

Every character belongs to one of four classes, and whether a word starts at a character
depends only on the classes of that character and its two neighbors:

- a run of letters is one word, and so is a run of other characters (punctuation, symbols,
  control characters);
- one space before such a run belongs to it, as in " the" and " =";
- the remaining spaces, as in indentation, form words of their own;
- every digit and every line end is a word of its own. There are too many numbers for a small
  vocabulary. And if ":\n" were a token, a prompt that ends with "ROMEO:" would end where no
  training text does.

The classes are ranges of code points, listed here, because Python, TensorFlow (ICU) and
`tokenizers` (Oniguruma) each contain another version of the Unicode tables and would disagree
on the `\p{L}` that other tokenizers use. A character that is not listed is a letter: all
scripts, combining marks, emoji and their joiners, and whatever Unicode adds. The list contains
the punctuation of Latin-1, of the General Punctuation block and of East Asia, where no space
separates words. Apostrophes are letters, for "don't" and "l’eau".
"""

from __future__ import annotations

from textgen.tokenizer.splitter import WordSplitter, members

LETTER, OTHER, SPACE, SINGLE = range(4)

# The first code point of each range, and the class up to the next range.
RANGES = (
    (0x0000, OTHER),
    (0x0009, SPACE),
    (0x000A, SINGLE),
    (0x000B, OTHER),
    (0x000D, SINGLE),
    (0x000E, OTHER),
    (0x0020, SPACE),
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

# Longer words are cut, so that time grows linearly with any text: Chinese without punctuation,
# base64, a line of dashes.
MAX_CHARACTERS = 64


_LETTER, _SPACE, _SINGLE, _OTHER = (
    f"[{members(RANGES, kind)}]" for kind in (LETTER, SPACE, SINGLE, OTHER)
)

# Matches word after word, in Python and in `tokenizers`. The last alternative leaves the last
# of several spaces to the letter or other character after it.
PATTERN = "|".join(
    (
        f"{_SPACE}{_LETTER}{{1,{MAX_CHARACTERS - 1}}}",
        f"{_LETTER}{{1,{MAX_CHARACTERS}}}",
        f"{_SPACE}{_OTHER}{{1,{MAX_CHARACTERS - 1}}}",
        f"{_OTHER}{{1,{MAX_CHARACTERS}}}",
        _SINGLE,
        f"{_SPACE}{{1,{MAX_CHARACTERS}}}(?!{_LETTER}|{_OTHER})",
    )
)

# After a digit, a line end or a run of letters a word starts, whatever follows.
SPLITTER = WordSplitter(PATTERN, seam=f"{_SINGLE}|{_LETTER}(?!{_LETTER})")
