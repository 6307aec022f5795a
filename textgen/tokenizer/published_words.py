r"""The words of published tokenizers: GPT-2's pattern, Llama 3's, and their variants.

    gpt2      's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
    smollm    every digit alone, and GPT-2's pattern between them
    llama3    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
               ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
    qwen2     Llama 3's with \p{N} in place of \p{N}{1,3}

Here the classes are the tables of the tokenizer's file (`textgen.tokenizer.character_classes`).
`textgen.tokenizer.graph.published_starts` has the same rules as TensorFlow ops.
"""

from __future__ import annotations

from dataclasses import dataclass

from textgen.tokenizer.character_classes import (
    DIGIT,
    LETTER,
    NUMBER,
    OTHER,
    SPACE,
    CharacterClasses,
)
from textgen.tokenizer.splitter import WordSplitter, members


@dataclass(frozen=True)
class WordRules:
    """What distinguishes the patterns.

    Attributes:
        is_modern: Whether the pattern is Llama 3's, where punctuation may take the place of the
            space before a word and line ends follow what precedes them; otherwise GPT-2's.
        max_numbers: Characters in a number, or `None` for any number of them.
        separates_digits: Whether every digit is a word, without a space before it.
    """

    is_modern: bool
    max_numbers: int | None = None
    separates_digits: bool = False


PATTERNS = {
    "gpt2": WordRules(is_modern=False),
    "smollm": WordRules(is_modern=False, separates_digits=True),
    "llama3": WordRules(is_modern=True, max_numbers=3),
    "qwen2": WordRules(is_modern=True, max_numbers=1),
}

CONTRACTIONS = ("s", "t", "re", "ve", "m", "ll", "d")
# Without regard to case, "ſ" is an "s" too.
CASES = {letter: letter + letter.upper() for letter in "tremvld"} | {"s": "sSſ"}


def published_splitter(rules: WordRules, classes: CharacterClasses) -> WordSplitter:
    """Return the splitter of a pattern.

    Example:
        >>> classes = CharacterClasses.of_library()
        >>> published_splitter(PATTERNS["smollm"], classes).words("It's 42 (or 43)")
        ['It', "'s", ' ', '4', '2', ' (', 'or', ' ', '4', '3', ')']
    """
    kinds = classes.kinds(rules.separates_digits)
    letter, number, space, digit, other = (
        f"[{members(kinds, kind)}]" for kind in (LETTER, NUMBER, SPACE, DIGIT, OTHER)
    )
    # The end of the text and a separate digit, which ends the text for what precedes it, leave
    # all spaces to one word.
    last_spaces = [f"{space}+(?!{letter}|{number}|{other})", f"{space}+"]
    if rules.is_modern:
        endings = ("".join(f"[{CASES[each]}]" for each in ending) for ending in CONTRACTIONS)
        count = f"{{1,{rules.max_numbers}}}" if rules.max_numbers else "+"
        alternatives = [
            f"'(?:{'|'.join(endings)})",
            f"(?:(?![\r\n])(?:{space}|{other}))?{letter}+",
            f"{number}{count}",
            f" ?{other}+[\r\n]*",
            f"{space}*[\r\n]+",
            *last_spaces,
        ]
    else:
        alternatives = [
            digit,
            f"'(?:{'|'.join(CONTRACTIONS)})",
            *(f" ?{kind}+" for kind in (letter, number, other)),
            *last_spaces,
        ]
    return WordSplitter("|".join(alternatives), seam=f"{letter}(?!{letter})")
