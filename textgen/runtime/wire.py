"""Read the protobuf wire format, as far as a SavedModel needs it.

A message is a sequence of fields; each is a key (field number and wire type) and a value.
This module does not know what the numbers mean; `signatures` and `graph` do.

References:
    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Sizes below 2**28 take at most so many bytes, and no file that is read here is larger.
_MAX_SIZE_BYTES = 4

Field = tuple[int, int | bytes]


class WireError(ValueError):
    """The bytes are not a protobuf message."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Read one base-128 number.

    Args:
        data: The bytes of the message.
        position: Where the number starts.

    Returns:
        The number as an unsigned 64-bit value, and the position after it.

    Raises:
        WireError: If the data ends inside the number, or it is longer than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise WireError("the data ends inside a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise WireError("a number is longer than 64 bits")


def read_varints(data: bytes) -> list[int]:
    """Read a packed repeated field of numbers.

    Args:
        data: The bytes of the field.

    Returns:
        The numbers, unsigned.

    Raises:
        WireError: If the data ends inside a number.
    """
    values, position = [], 0
    while position < len(data):
        value, position = read_varint(data, position)
        values.append(value)
    return values


def read_fields(data: bytes) -> list[Field]:
    """Read the fields of a message.

    Args:
        data: The bytes of the message.

    Returns:
        Field numbers and values in order: ints for numbers; bytes for strings, nested
        messages, packed fields, floats and doubles.

    Raises:
        WireError: If the data is cut off or is not a protobuf message.
    """
    # A graph has tens of thousands of fields, so numbers of one byte are read right here.
    fields: list[Field] = []
    position, end = 0, len(data)
    while position < end:
        key = data[position]
        position += 1
        if key > 0x7F:
            key, position = read_varint(data, position - 1)
        number, wire_type = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise WireError(f"a field has the number {number}")
        if wire_type == _BYTES:
            size = data[position] if position < end else 0x80
            position += 1
            if size > 0x7F:
                size, position = read_varint(data, position - 1)
        elif wire_type == _VARINT:
            value, position = read_varint(data, position)
            fields.append((number, value))
            continue
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise WireError(f"a field has the unknown wire type {wire_type}")
        if position + size > end:
            raise WireError(f"field {number} is cut off")
        fields.append((number, data[position : position + size]))
        position += size
    return fields


class FieldTable(NamedTuple):
    """The fields of many messages, in the order of the messages.

    Attributes:
        data: All messages, one after the other.
        owners: Which message each field belongs to, int64[F].
        numbers: Field numbers, uint8[F].
        starts: Where each value begins in `data`, int64[F].
        stops: Where it ends.
    """

    data: bytes
    owners: np.ndarray
    numbers: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    def values(self, number: int, of: np.ndarray | None = None) -> tuple[list[int], list[bytes]]:
        """Return the owners and the values of all fields with a number.

        Args:
            number: The field number.
            of: Which messages to take them from, bool[num_messages]. Defaults to all.
        """
        is_chosen = self.numbers == number
        chosen = np.flatnonzero(is_chosen if of is None else is_chosen & of[self.owners])
        spans = zip(self.starts[chosen].tolist(), self.stops[chosen].tolist(), strict=True)
        return self.owners[chosen].tolist(), [self.data[start:stop] for start, stop in spans]

    def counts(self, number: int, num_messages: int) -> np.ndarray:
        """Return how often a field occurs in each message, int64[num_messages]."""
        return np.bincount(self.owners[self.numbers == number], minlength=num_messages)


def read_tables(messages: Sequence[bytes]) -> FieldTable:
    """Read the fields of many messages that hold only strings, bytes and messages.

    The first fields of all messages are read together, then the second ones, and so on: a graph
    has thousands of nodes with few fields each, and `read_fields` would take ten times as long.

    Args:
        messages: The bytes of each message; field numbers must be at most 15.

    Raises:
        WireError: If a message is cut off, or holds a number or a field above 15.
    """
    joined = b"".join(messages)
    # The bytes after the end are read before a message is known to be cut off.
    data = np.frombuffer(joined + bytes(1 + _MAX_SIZE_BYTES), np.uint8)
    sizes = np.fromiter(map(len, messages), np.int64, len(messages))
    ends = np.cumsum(sizes)
    owners, positions = np.arange(len(messages)), ends - sizes
    found = []
    while (unread := np.flatnonzero(positions < ends)).size:
        owners, positions, ends = owners[unread], positions[unread], ends[unread]
        keys = data[positions]
        if ((keys & 7 != _BYTES) | (keys < 8) | (keys > 0x7F)).any():
            raise WireError("a field is neither a string nor a message, or is unknown")
        starts, sizes = _read_sizes(data, positions + 1)
        positions = starts + sizes
        if (positions > ends).any():
            raise WireError("a field is cut off")
        found.append((owners, keys >> 3, starts, positions))
    if not found:
        empty = np.zeros(0, np.int64)
        return FieldTable(joined, empty, empty, empty, empty)
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return FieldTable(joined, *(column[order] for column in columns))


def messages(data: bytes, number: int) -> list[bytes]:
    """Return the values of a repeated field of messages, strings or bytes.

    Args:
        data: The bytes of the message that has the field.
        number: The field number.

    Raises:
        WireError: If the data is not a message, or the field holds numbers.
    """
    found = [value for key, value in read_fields(data) if key == number]
    if int in map(type, found):
        raise WireError("a number stands where a message belongs")
    return found  # type: ignore[return-value]


def only_message(data: bytes, number: int) -> bytes:
    """Return the value of a singular field of messages, strings or bytes; empty if absent.

    Protobuf would merge several messages, or take the last of several strings. Writers
    write one, so another is refused: reader and TensorFlow must see the same.

    Args:
        data: The bytes of the message that has the field.
        number: The field number.

    Raises:
        WireError: If the data is not a message, or the field occurs twice or holds numbers.
    """
    found = messages(data, number)
    if len(found) > 1:
        raise WireError(f"field {number} occurs twice")
    return found[0] if found else b""


def as_signed(value: int) -> int:
    """Return the int32 or int64 that an unsigned 64-bit number represents."""
    return value - (1 << 64) if value >= 1 << 63 else value


def as_message(value: int | bytes) -> bytes:
    """Return a field's value if the schema says string, bytes or message.

    Raises:
        WireError: If the field holds a number.
    """
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value


def as_number(value: int | bytes) -> int:
    """Return a field's value if the schema says a number.

    Raises:
        WireError: If the field holds bytes.
    """
    if not isinstance(value, int):
        raise WireError("a message stands where a number belongs")
    return value


def as_text(value: int | bytes) -> str:
    """Return a field's value if the schema says string.

    Raises:
        WireError: If the field holds a number, or bytes that are not UTF-8.
    """
    try:
        return as_message(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a name is not UTF-8") from error


def _read_sizes(data: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read a number at each position; return the positions after them, and the numbers."""
    last = data[positions].astype(np.int64)
    sizes, positions = last & 0x7F, positions + 1
    for number in range(1, _MAX_SIZE_BYTES + 1):
        longer = np.flatnonzero(last > 0x7F)
        if not longer.size:
            return positions, sizes
        last = np.zeros_like(last)
        last[longer] = data[positions[longer]]
        sizes[longer] |= (last[longer] & 0x7F) << 7 * number
        positions[longer] += 1
    raise WireError("a field is too large")
