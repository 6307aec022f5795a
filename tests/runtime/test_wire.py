import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.runtime.wire import WireError, as_signed, read_fields, read_varint, read_varints


def varint(value):
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


@given(st.integers(0, 2**64 - 1))
def test_a_number_reads_back(value):
    data = varint(value)
    assert read_varint(data, 0) == (value, len(data))


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_numbers_read_back(values):
    assert read_varints(b"".join(map(varint, values))) == values


def test_all_wire_types():
    data = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\x01\x02\x03\x04" + b"\x21" + bytes(8)
    assert [(n, v if isinstance(v, int) else bytes(v)) for n, v in read_fields(data)] == [
        (1, 150),
        (2, b"hi"),
        (3, b"\x01\x02\x03\x04"),
        (4, bytes(8)),
    ]


def test_negative_numbers():
    assert as_signed(2**64 - 1) == -1
    assert as_signed(2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",
        b"\x08\x80",
        b"\x12\x05hi",
        b"\x1d\x00",
        b"\x0b",
        b"\x00\x01",
        b"\x08" + b"\xff" * 11,
    ],
)
def test_damaged_messages(data):
    with pytest.raises(WireError):
        list(read_fields(data))


@given(st.binary())
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(WireError):
        list(read_fields(data))
