"""Lone surrogates are no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.errors import CorpusError
from textgen.unicode import encode_unicode, is_unicode


@given(st.text(), st.sampled_from(["utf-8", "utf-16-le", "utf-32-le"]))
def test_unicode_text_is_encoded(text, encoding):
    assert is_unicode(text)
    assert encode_unicode(text, CorpusError, encoding).decode(encoding) == text


@pytest.mark.parametrize("text", ["ab\ud800", "ab\udfffc"])
def test_a_lone_surrogate_is_named_with_its_position(text):
    assert not is_unicode(text)
    with pytest.raises(CorpusError, match=r"^The row must be .*U\+D[8F].. at character 2$"):
        encode_unicode(text, CorpusError, subject="The row")
