import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textgen.runtime.wire import (
    WireError,
    as_signed,
    read_fields,
    read_tables,
    read_varint,
    read_varints,
)


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


def table_of(messages):
    """Return the fields of messages as `read_tables` has them."""
    table = read_tables(messages)
    columns = (table.owners, table.numbers, table.starts, table.stops)
    return [
        (owner, number, table.data[start:stop])
        for owner, number, start, stop in zip(*map(list, columns), strict=True)
    ]


FIELDS = st.lists(st.tuples(st.integers(1, 15), st.binary(max_size=300)), max_size=8)


@given(st.lists(FIELDS))
def test_many_messages_are_read_as_one_by_one(contents):
    messages = [
        b"".join(bytes([number << 3 | 2]) + varint(len(value)) + value for number, value in fields)
        for fields in contents
    ]
    assert table_of(messages) == [
        (owner, number, value)
        for owner, message in enumerate(messages)
        for number, value in read_fields(message)
    ]


def test_the_values_of_a_field_can_be_limited_to_some_messages():
    table = read_tables([b"\x0a\x01a\x12\x01b", b"", b"\x0a\x01c\x0a\x01d"])
    assert table.values(1) == ([0, 2, 2], [b"a", b"c", b"d"])
    assert table.values(1, np.array([True, True, False])) == ([0], [b"a"])
    assert table.counts(1, 3).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "data",
    [b"\x0a", b"\x0a\x05hi", b"\x08\x01", b"\x02\x00", b"\x82\x01\x00", b"\x0a" + b"\xff" * 9],
)
def test_no_message_runs_over_into_the_next(data):
    with pytest.raises(WireError):
        read_tables([data, b"\x0a\x03abc"])


@given(st.lists(st.binary()))
def test_many_messages_of_any_bytes_are_read_as_one_by_one_or_refused(messages):
    with contextlib.suppress(WireError):
        assert table_of(messages) == [
            (owner, number, value)
            for owner, message in enumerate(messages)
            for number, value in read_fields(message)
        ]
