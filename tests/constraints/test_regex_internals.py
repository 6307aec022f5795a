"""The private parts of `re` that textgen uses are what it takes them for.

When a newer Python fails here, mend textgen/constraints/regex_internals.py, or keep the version
out in setup.cfg.
"""

import re
from pathlib import Path

import textgen
from textgen.constraints.regex_internals import codes, compile_runs, parse


def test_a_pattern_is_parsed_into_pairs_that_can_be_sliced():
    parsed = parse("^a(?i:bb|[c-d])*$", 0)
    assert [code for code, _ in parsed] == [codes.AT, codes.LITERAL, codes.MAX_REPEAT, codes.AT]
    assert [code for code, _ in parsed[1:-1]] == [codes.LITERAL, codes.MAX_REPEAT]
    low, high, inner = parsed[2][1]
    assert (low, high) == (0, codes.MAXREPEAT)
    ((code, (group, added, removed, branches)),) = inner
    assert (code, group, added, removed) == (codes.SUBPATTERN, None, re.IGNORECASE, 0)
    ((code, (_, choices)),) = branches
    assert code is codes.BRANCH
    assert [list(choice) for choice in choices] == [
        [(codes.LITERAL, ord("b"))] * 2,
        [(codes.IN, [(codes.RANGE, (ord("c"), ord("d")))])],
    ]
    assert parse("(?s).", 0).state.flags & re.DOTALL


def test_a_parsed_set_finds_its_characters():
    ((_, members),) = parse(r"[a-c\d]", 0)
    assert compile_runs(tuple(members), 0).findall("xab1٣ yc") == ["ab1٣", "c"]
    assert compile_runs(tuple(members), re.ASCII).findall("1٣") == ["1"]
    assert compile_runs(tuple(members), re.IGNORECASE).findall("B") == ["B"]


def test_no_other_module_uses_a_private_part_of_it():
    private = re.compile(r"^\s*from re import .*\b_|\bre\._", re.MULTILINE)
    users = {
        path.name
        for path in Path(textgen.__file__).parent.rglob("*.py")
        if private.search(path.read_text("utf-8"))
    }
    assert users == {"regex_internals.py"}
