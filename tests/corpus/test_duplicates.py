"""Copies are found, near ones too, and nothing else is."""

import random

from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import DuplicateFinder

WORDS = [f"word{number}" for number in range(40)]


def document(seed, length=200):
    return " ".join(random.Random(seed).choices(WORDS, k=length))


@given(st.lists(st.text(max_size=80), max_size=12))
def test_a_text_is_a_copy_only_if_it_came_before(texts):
    finder = DuplicateFinder()
    seen = set()
    for text in texts:
        plain = " ".join(text.split())
        assert (finder.find(text) == "exact") == (plain in seen)
        seen.add(plain)


def test_near_copies_are_found_and_others_are_not():
    finder = DuplicateFinder()
    assert [finder.find(document(seed)) for seed in range(200)] == [None] * 200
    found = []
    for seed in range(200):
        words = document(seed).split()
        words[seed % 200] = "changed"
        found.append(finder.find(" ".join(words)))
    # 2.5 % of the shingles differ.
    assert found.count("near") >= 198


def test_texts_without_spaces_are_compared_by_characters():
    characters = [chr(0x4E00 + n) for n in range(300)]
    text = "".join(random.Random(1).choices(characters, k=400))
    finder = DuplicateFinder()
    assert finder.find(text) is None
    assert finder.find(text[:200] + "字" + text[200:]) == "near"
    assert finder.find("".join(random.Random(2).choices(characters, k=400))) is None
