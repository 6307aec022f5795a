"""What looks like personal data is found, and what only resembles it is not."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.config import PERSONAL_DATA
from textgen.corpus import find_personal_data, redact


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "ada.lovelace+math@mail.example.org"),
        ("email", "jürgen@beispiel.de"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432"),
        ("id", "11010519491231002X"),
        ("id", "44051401359"),
        ("id", "12345678Z"),
        ("id", "X1234567L"),
        ("id", "131052-308T"),
        ("id", "536-90-4399"),
        ("card", "4111 1111 1111 1111"),
        ("card", "5500-0000-0000-0004"),
        ("card", "378282246310005"),
        ("phone", "+49 30 1234567"),
        ("phone", "+1 (212) 555-0123"),
        ("phone", "(212) 555-0123"),
        ("phone", "030/1234567"),
        ("phone", "13800138000"),
        ("ip", "8.8.8.8"),
    ],
)
def test_it_is_found_alone_and_in_a_sentence(kind, text):
    for before, after in (("", ""), ("Here: ", "."), ("(", ")"), ("，", "。")):
        found = list(find_personal_data(before + text + after))
        assert found == [(kind, len(before), len(before) + len(text))]


@pytest.mark.parametrize(
    "text",
    [
        "In 1914-1918, 70,000,000 men; see pp. 123-145 and 2026-11-26 14:49:00.",
        "ISBN 978-3-16-148410-0, order 4111 1111 1111 1112, 3.14159265358979323846",
        "127.0.0.1 and 192.168.0.1, version 1.2.3.4.5, @home, a@b, 12345678A",
    ],
)
def test_what_only_resembles_it_is_left(text):
    assert list(find_personal_data(text)) == []


@given(st.text(st.sampled_from("a1@. +-()/0598X\n"), max_size=60))
def test_redacting_leaves_everything_else_and_nothing_to_find(text):
    counts = Counter()
    redacted = redact(text, PERSONAL_DATA, counts)
    assert redacted.count("[") == counts.total()
    kept = [text[a:b] for a, b in _gaps(text)]
    assert "".join(kept) == "".join(
        part.partition("]")[2] if i else part for i, part in enumerate(redacted.split("["))
    )


def _gaps(text):
    end = 0
    for _, start, stop in sorted(find_personal_data(text), key=lambda found: found[1]):
        yield end, start
        end = stop
    yield end, len(text)


def test_only_the_kinds_that_are_named_are_replaced():
    counts = Counter()
    assert redact("a@b.org +49 30 1234567", ["phone"], counts) == "a@b.org [phone]"
    assert counts == {"phone": 1}


def test_every_kind_of_the_settings_has_a_pattern():
    from textgen.corpus import personal_data

    assert tuple(personal_data._KINDS) == PERSONAL_DATA
