"""Where words start, and where a long text may be cut."""

import bisect
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from textgen.tokenizer import splitter
from textgen.tokenizer.words import LETTER, MAX_CHARACTERS, OTHER, PATTERN, RANGES, SPACE, SPLITTER

SPLIT = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
runs = st.lists(
    st.tuples(st.sampled_from("ab'’ \t\n\r09.,=_\0\x85床，。é😀\u200d\u2028"), st.integers(1, 70)),
    max_size=8,
).map(lambda pairs: "".join(character * count for character, count in pairs))
texts = st.text(max_size=60) | st.text(st.sampled_from("a' \t\n0.床，"), max_size=60) | runs


def split(text):
    return [text[start:end] for _, (start, end) in SPLIT.pre_tokenize_str(text)]


def kind(character):
    return RANGES[bisect.bisect_right(RANGES, ord(character), key=lambda row: row[0]) - 1][1]


def words_of(text):
    """The rules of the module, applied character by character."""
    found = []
    for index, character in enumerate(text):
        here = kind(character)
        before = kind(text[index - 1]) if index else None
        after = kind(text[index + 1]) if index + 1 < len(text) else None
        if here in (LETTER, OTHER):
            joins = before in (here, SPACE)
        elif here == SPACE:
            joins = before == SPACE and after not in (LETTER, OTHER)
        else:
            joins = False
        if joins:
            found[-1] += character
        else:
            found.append(character)
    return [
        word[start : start + MAX_CHARACTERS]
        for word in found
        for start in range(0, len(word), MAX_CHARACTERS)
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The quick, brown fox.", ["The", " quick", ",", " brown", " fox", "."]),
        ("ROMEO:\nIt's 1597!\n\n", ["ROMEO", ":", "\n", "It's", " ", *"1597", "!", "\n", "\n"]),
        ("    return  x\t= 1", ["   ", " return", " ", " x", "\t=", " ", "1"]),
        ("床前明月光，疑是地上霜。", ["床前明月光", "，", "疑是地上霜", "。"]),
        ("« l’été » ☃ e\u0301", ["«", " l’été", " »", " ☃", " e\u0301"]),
        ("👩‍🚀👍🏽 नमस्ते", ["👩‍🚀👍🏽", " नमस्ते"]),
        ("-" * 70, ["-" * 64, "-" * 6]),
    ],
)
def test_words_of_several_scripts(text, wanted):
    assert split(text) == wanted


@given(texts)
def test_the_pattern_follows_the_rules(text):
    assert split(text) == words_of(text)


@given(texts, st.integers(0, 5))
def test_parts_end_only_between_words(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitter, "_PART_CHARACTERS", size)
        cut = list(SPLITTER.parts(text))
    assert "".join(cut) == text
    assert [word for part in cut for word in split(part)] == split(text)


@pytest.mark.parametrize(
    "text", ["to be or not to be\n" * 5000, "床前明月光，" * 9000, "7" * 90000]
)
def test_long_texts_are_cut_into_short_parts(text):
    assert max(map(len, SPLITTER.parts(text))) < 5000


def test_ranges_ascend_and_latin_letters_are_letters():
    firsts = [first for first, _ in RANGES]
    assert firsts == sorted(set(firsts))
    for point in range(0x250):
        if unicodedata.category(chr(point)) in ("Lu", "Ll") and point != 0xB5:
            assert kind(chr(point)) == LETTER, hex(point)
