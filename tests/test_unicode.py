"""Lone surrogates are no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import CorpusError
from textgen.unicode import encode_unicode, lone_surrogate, to_plain_text


@given(st.text(), st.sampled_from(["utf-8", "utf-16-le", "utf-32-le"]))
def test_unicode_text_is_encoded(text, encoding):
    assert lone_surrogate(text) is None
    assert encode_unicode(text, CorpusError, encoding).decode(encoding) == text


@pytest.mark.parametrize("text", ["ab\ud800", "ab\udfffc"])
def test_a_lone_surrogate_is_named_with_its_position(text):
    assert lone_surrogate(text).endswith("at character 2")
    with pytest.raises(CorpusError, match=r"^The row must be .*U\+D[8F].. at character 2$"):
        encode_unicode(text, CorpusError, subject="The row")


@given(st.text(st.sampled_from("a\r\n\ufeff")))
def test_plain_text_has_one_form_of_line_ends_and_no_mark(text):
    plain = to_plain_text(text)
    assert "\r" not in plain
    assert plain.splitlines() == text.removeprefix("\ufeff").splitlines()
