import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.corpus import check_encoding, decode_chunks
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
    assert error_of(b"abc\xff", places=[2]) == (
        "corpus.txt: byte 0xff at offset 3 is not valid utf-8. "
        "Name the right encoding with --encoding, for example --encoding latin-1."
    )


def test_a_character_cut_off_by_the_end_is_an_error():
    assert "byte 0xe5 at offset 2 is not valid utf-8" in error_of(b"ab" + "字".encode()[:2])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_text_read_as_utf_8_names_the_wide_encoding(encoding):
    assert f"--encoding {encoding}." in error_of("text".encode(encoding))


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
