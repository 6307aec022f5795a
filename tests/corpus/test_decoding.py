import gzip
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import check_encoding, decode_chunks
from textgen.corpus.notices import Notices
from textgen.errors import ConfigError, CorpusError

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "utf-7"]


def cut(data, places):
    """Cut bytes or text at the given places, taken modulo its length."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def decode(data, encoding="utf-8", places=()):
    return "".join(decode_chunks(cut(data, places), encoding, "corpus.txt"))


def error_of(data, encoding="utf-8", places=()):
    with pytest.raises(CorpusError) as caught:
        decode(data, encoding, places)
    return str(caught.value)


texts = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\r\n\ufeffé字😀"))).map(
    lambda text: text.replace("\0", "")
)
places = st.lists(st.integers(0, 1000), max_size=8)


@given(text=texts, encoding=st.sampled_from(ENCODINGS), places=places)
def test_the_cuts_make_no_difference(text, encoding, places):
    data = text.encode(encoding)
    whole = data.decode(encoding).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert decode(data, encoding, places) == whole


@given(data=st.binary().map(lambda data: b"text" + data.replace(b"\0", b"")), places=places)
def test_an_error_names_the_same_byte_for_all_cuts(data, places):
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"byte 0x{data[error.start]:02x} at offset {error.start} is not valid utf-8"
        assert message in error_of(data, "utf-8", places)
    else:
        assert decode(data, "utf-8", places) == decode(data)


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-kr", "ascii", "cp1252"])
def test_the_offset_is_absolute_in_other_encodings(encoding):
    data = b"a" * 10 + b"\x81\xff\xff\xff"
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode(encoding)
    assert f"at offset {caught.value.start} " in error_of(data, encoding, places=range(20))


def test_the_message_names_file_byte_offset_and_remedy():
    message = error_of("Le café\nfermé".encode("cp1252"))
    assert message.startswith(
        "corpus.txt: byte 0xe9 at offset 6 is not valid utf-8. "
        'In other encodings: cp1252 or cp1250 or cp1254 reads "Le café"; '
    )
    assert message.endswith(
        ". If one reads right, use encoding=NAME for all files, or convert this file to utf-8."
    )


@pytest.mark.parametrize(
    ("encoding", "named", "text"),
    [
        ("cp1252", "cp1252", "L’été, “Déjà vu” — naïve"),
        ("gbk", "gb18030", "床前明月光，疑是地上霜。"),
        ("shift_jis", "cp932", "吾輩は猫である。"),
        ("cp1251", "cp1251", "Привет, как дела?"),
        ("koi8-r", "koi8_r", "Привет, как дела?"),
        ("big5", "big5", "舉頭望明月，低頭思故鄉。"),
    ],
)
def test_the_encodings_that_fit_are_named_with_what_they_read(encoding, named, text):
    message = error_of((text + "\n").encode(encoding) * 3)
    found = re.search(rf'[^;:]*\b{named}\b[^;]* reads "([^"]*)', message)
    assert found
    assert found[1][:6] in text
    assert "latin" not in message


def test_utf_8_is_named_when_another_encoding_was_asked_for():
    assert 'utf_8 reads "naïve ☃"' in error_of("naïve ☃".encode(), "ascii")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04" + b"\0" * 26 + b"word/document.xml", "a Word document"),
        (b"PK\x03\x04" + b"\0" * 26 + b"notes.txt", "a ZIP archive"),
        (gzip.compress(b"text", mtime=0), "a gzip file"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "an image"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_file_of_another_kind_is_named(head, kind, encoding):
    assert f"corpus.txt: this is {kind}, not text" in error_of(head, encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_read_as_utf_8_is_named(encoding):
    message = error_of("plain text, with “quotes”".encode(encoding))
    assert f"NUL byte at offset {int(encoding.endswith('le'))}." in message
    assert f"use encoding={encoding}." in message


def test_a_stray_nul_has_an_offset_and_a_remedy():
    message = error_of(b"a" * 3000 + b"\0" + b"b" * 3000, places=[1000, 2500])
    assert "NUL byte at offset 3000. A text must not contain any: remove it" in message


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_control_characters_of_a_wrong_encoding_are_reported_once(encoding, caplog):
    notices = Notices()
    data = "l\x92été n\x92est".encode(encoding)
    assert "".join(decode_chunks([data, data], encoding, "été.txt", notices)).count("\x92") == 4
    notices.warn()
    (message,) = caplog.messages
    assert "probably in another encoding: 1 (été.txt: U+0092)." in message


@given(texts.filter(lambda text: not re.search("[\x80-\x84\x86-\x9f]", text)))
def test_other_text_is_not_reported(text):
    notices = Notices()
    list(decode_chunks([text.encode()], "utf-8", "corpus.txt", notices))
    assert not notices._cases


def test_a_character_cut_off_by_the_end_is_an_error():
    assert "byte 0xe5 at offset 2 is not valid utf-8" in error_of(b"ab" + "字".encode()[:2])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_text_read_as_utf_8_names_the_wide_encoding(encoding):
    assert f"use encoding={encoding}." in error_of("text".encode(encoding))


def test_utf_16_without_a_byte_order_mark_is_an_error():
    assert "not valid utf-16" in error_of(b"plain text", "utf-16")


def test_nul_bytes_in_utf_8_look_binary():
    assert "corpus.txt: looks like a binary file" in error_of(b"text\0", places=[1])


def test_nul_bytes_are_kept_in_other_encodings():
    assert decode(b"a\0b", "latin-1") == "a\0b"


def test_only_one_byte_order_mark_is_dropped():
    assert decode("\ufeff\ufeffa\ufeff".encode()) == "\ufeffa\ufeff"


def test_line_ends_become_newlines():
    assert decode(b"a\r\nb\rc\n\rd\r", places=range(20)) == "a\nb\nc\n\nd\n"


@pytest.mark.parametrize("name", ["nosuch", "hex", "rot13", "", "a\0b", None])
def test_an_unknown_encoding_is_a_config_error(name):
    with pytest.raises(ConfigError, match=re.escape(f"Received: {name!r}")):
        check_encoding(name)


def test_aliases_have_one_canonical_name():
    assert check_encoding("UTF8") == check_encoding("utf-8") == "utf-8"
