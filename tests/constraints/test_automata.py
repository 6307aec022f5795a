"""Automata against plain means: `in`, `re`, and a search over texts."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from textgen.constraints.automaton import DEAD, End, intersect
from textgen.constraints.letter_case import case_variants
from textgen.constraints.patterns import avoid_patterns, match_pattern
from textgen.constraints.phrases import avoid_phrases
from textgen.constraints.vocabulary import UNREACHABLE, TokenWalk

# Letters whose cases have other lead bytes or lengths, and characters that share bytes.
ALPHABETS = ["abAB", "рРсС", "σςΣs", "kK\u212a", "中丽a", "éÉêe😀"]
PATTERNS = [
    r"[0-9]{2}-\d",
    r"(?:ab|a)*b?",
    r"(?i:straße|É)+",
    r"[^ab]*",
    r"(?s:.)a.",
    r"\w+\s\W",
    r"[\u4e00-\u9fff]{1,2}|a+?",
    r"^a$",
    r"",
]


def fold(text):
    return "".join(case_variants(character)[0] for character in text)


@given(st.sampled_from(ALPHABETS).flatmap(lambda a: st.tuples(
    st.lists(st.text(a, min_size=1, max_size=4), min_size=1, max_size=5),
    st.text(a + "x", max_size=12),
    st.booleans(),
)))  # fmt: skip
def test_a_text_dies_when_it_contains_a_phrase(case):
    phrases, text, ignore_case = case
    change = fold if ignore_case else str
    found = any(change(phrase) in change(text) for phrase in phrases)
    assert (avoid_phrases(phrases, ignore_case).run(text.encode()) == DEAD) is found
    patterns = [re.escape(phrase) for phrase in phrases]
    assert (avoid_patterns(patterns, ignore_case).run(text.encode()) == DEAD) is found


@given(st.sampled_from(PATTERNS), st.text("ab0123-ßSstraé 中_\n😀A", max_size=6))
def test_a_pattern_matches_what_it_matches_in_python(pattern, text):
    automaton = match_pattern(pattern)
    state = automaton.run(text.encode())
    is_match = state != DEAD and automaton.ends[state] == End.COMPLETE
    assert bool(is_match) is (re.fullmatch(pattern, text) is not None)


@given(st.binary(max_size=8))
def test_bytes_that_are_no_text_match_no_pattern(content):
    automaton = match_pattern(r"(?s:.)*")
    state = automaton.run(content)
    try:
        content.decode()
    except UnicodeDecodeError:
        assert state == DEAD or automaton.ends[state] == End.FORBIDDEN
    else:
        assert automaton.ends[state] == End.COMPLETE


def test_both_hold_at_once():
    both = intersect(avoid_phrases(["bb"]), match_pattern("[ab]{3}"), (0, 0))
    ends = {text: both.run(text.encode()) for text in ("aba", "abb", "bab", "abab")}
    assert [state != DEAD for state in ends.values()] == [True, False, True, False]
    assert both.ends[ends["aba"]] == End.COMPLETE


def test_distances_are_those_of_the_shortest_texts():
    pieces = [b"", b"a", b"b", b"aaa", b"ab"]
    walk = TokenWalk(pieces)
    automaton = match_pattern("a{5}b")
    distances = walk.distances(automaton, np.array([False, True, True, True, True]), False)
    assert distances[0] == 3  # aaa, a, ab
    assert distances[automaton.run(b"aaaaa")] == 1
    without_b = walk.distances(automaton, np.array([False, True, False, True, False]), False)
    assert without_b[0] == UNREACHABLE


def test_a_state_from_which_all_tokens_are_forbidden_is_never_reached():
    walk = TokenWalk([b"", b"a", b"b"])
    automaton = avoid_phrases(["aa", "ab"])
    usable = np.array([False, True, True])
    distances = walk.distances(automaton, usable, False)
    assert distances[automaton.run(b"a")] == UNREACHABLE
    assert distances[0] == 0
    # A model that can end its text is never stuck.
    assert (walk.distances(automaton, usable, True) == 0).all()
