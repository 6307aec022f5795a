import itertools
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textgen.config import CorpusConfig
from textgen.corpus import clean, clean_chunks, decode_chunks
from textgen.unicode import to_plain_text

NOTHING = CorpusConfig()
HTML = CorpusConfig(strip_html=True)

# Characters whose case, form or category depends on their neighbors or changes on the way.
awkward = st.sampled_from("aAΣσİßﬁⅣ①…ℌ.;\u037e·'\u0301\u0307\u0327\u0345é字\n \u1100\u1161")
texts = st.text(st.one_of(awkward, st.characters(codec="utf-8")))
plain_configs = st.builds(
    CorpusConfig,
    lowercase=st.booleans(),
    strip_punctuation=st.booleans(),
    normalize=st.sampled_from(["none", "nfc", "nfkc"]),
)
tags = ["<p>", "</p>", "<br/>", "<b>", "</b>", "<script>", "</script>", "<style>", "</style>"]
others = ["<!--x-->", "<![if>", "<!DOCTYPE>", "&amp;", "&lt;", "&#65;", "&", "AT&T", "<", ">", "a"]
fragments = st.lists(st.sampled_from([*tags, *others, " ", "\n"])).map("".join)


# As files are decoded: without byte order marks, with one form of line ends.
plain_texts = texts.map(lambda text: to_plain_text(text).lstrip("\ufeff"))


@given(text=plain_texts)
def test_nothing_changes_unless_asked(text):
    assert clean(text, NOTHING) == text


@given(
    text=plain_texts.map(lambda text: text.replace("\0", "")),
    config=plain_configs,
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_line_ends_and_a_byte_order_mark_make_no_difference(text, config, line_end):
    foreign = "\ufeff" + text.replace("\n", line_end)
    assert clean(foreign, config) == clean(text, config)
    assert "".join(decode_chunks([foreign.encode()], "utf-8", "t.txt")) == text


@given(text=plain_texts, config=plain_configs)
@example(text="İ\u0327", config=CorpusConfig(lowercase=True, normalize="nfc"))
@example(text="e-\u0301", config=CorpusConfig(strip_punctuation=True, normalize="nfc"))
@example(text="ℌ…", config=CorpusConfig(lowercase=True, strip_punctuation=True, normalize="nfkc"))
def test_cleaning_is_idempotent_without_html(text, config):
    once = clean(text, config)
    assert clean(once, config) == once


@given(chunks=st.lists(plain_texts), config=plain_configs)
def test_the_cuts_of_a_text_make_no_difference(chunks, config):
    assert "".join(clean_chunks(chunks, config)) == clean("".join(chunks), config)


@given(text=fragments, places=st.lists(st.integers(0, 100)))
def test_the_cuts_of_html_make_no_difference(text, places):
    edges = sorted({0, len(text), *(min(place, len(text)) for place in places)})
    chunks = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert "".join(clean_chunks(chunks, HTML)) == clean(text, HTML)


def test_comparison_signs_take_linear_time():
    # Quadratic time would be hours.
    text = "if a <b:\n" * 200_000
    assert clean(text, HTML) == text


@given(text=texts, normalize=st.sampled_from(["nfc", "nfkc"]))
def test_the_result_is_in_normal_form(text, normalize):
    config = CorpusConfig(lowercase=True, strip_punctuation=True, normalize=normalize)
    assert unicodedata.is_normalized(normalize.upper(), clean(text, config))


@given(text=texts, normalize=st.sampled_from(["none", "nfc", "nfkc"]))
def test_no_punctuation_is_left(text, normalize):
    cleaned = clean(text, CorpusConfig(strip_punctuation=True, normalize=normalize))
    assert not [char for char in cleaned if unicodedata.category(char).startswith("P")]


def test_symbols_are_not_punctuation():
    assert clean("a+b = $1, “c”。", CorpusConfig(strip_punctuation=True)) == "a+b = $1 c"


def test_lowercase_knows_the_final_sigma():
    assert clean("ΟΔΟΣ\nΣ", CorpusConfig(lowercase=True)) == "οδος\nσ"


@pytest.mark.parametrize("text", ["Hello", "3 < 5 & 6 > 2", "", "a\n\nb\n"])
def test_a_text_without_html_is_unchanged(text):
    assert clean(text, HTML) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("a <b>bold</b> word", "a bold word"),
        ("<p>one</p><p>two</p>", "one\ntwo\n"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<h1>T</h1><ul><li>a<li>b</ul>", "T\na\nb\n"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\nb\n"),
        ("caf&eacute; &amp; &#x5b57;", "café & 字"),
        ("a<!-- no -->b", "ab"),
        ("a<script>if (1 < 2) '<p>'</script>b", "ab"),
        ("a<style>p {}</style>b", "ab"),
        ("a<script>never closed", "a"),
        ("a<![if IE]>b<![endif]>c", "abc"),
        ("<!DOCTYPE html><title>T</title>x", "T\nx"),
        # A tag within a tag turns the first one into text.
        ("if a <b and c <d:", "if a <b and c <d:"),
        ("a <b <i>c</i>", "a <b c"),
        ("for i<n; <p>text</p>", "for i<n; \ntext\n"),
        ('<a title="x < y > z">link</a>', "link"),
        ("<img alt = 'a<b>c'/>image", "image"),
        ("<a href=x<b>link", "<a href=xlink"),
    ],
)
def test_html_becomes_text(page, text):
    assert clean(page, HTML) == text


def test_entities_are_decoded_before_the_other_steps():
    config = CorpusConfig(strip_html=True, strip_punctuation=True, lowercase=True)
    assert clean("&Eacute;t&eacute;&hellip;", config) == "été"
