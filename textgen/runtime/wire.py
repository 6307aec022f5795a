"""The protobuf wire format: as much of it as reading a SavedModel takes.

A message is a sequence of fields, each a key (field number and wire type) and a
value. Nothing here knows what the numbers mean; see `signatures` for that.

References:
    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are no protobuf message."""


def read_varint(data: memoryview, position: int) -> tuple[int, int]:
    """Read one base-128 number.

    Args:
        data: the bytes of the message.
        position: where the number starts.

    Returns:
        The number as an unsigned 64-bit value, and the position after it.

    Raises:
        WireError: the data ends inside the number, or it is longer than 64 bits.
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


def read_varints(data: memoryview) -> list[int]:
    """Read a packed repeated field of numbers.

    Args:
        data: the bytes of the field.

    Returns:
        The numbers, unsigned.

    Raises:
        WireError: the data ends inside a number.
    """
    values, position = [], 0
    while position < len(data):
        value, position = read_varint(data, position)
        values.append(value)
    return values


def read_fields(data: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over the fields of a message.

    Args:
        data: the bytes of the message.

    Yields:
        The field number and its value: an int for numbers, a view into `data` for
        strings, bytes, nested messages, packed fields, floats and doubles.

    Raises:
        WireError: the data is cut off or is no protobuf message.
    """
    data = memoryview(data)
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise WireError("a field has the number 0")
        if wire_type == _VARINT:
            value, position = read_varint(data, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, position = read_varint(data, position)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise WireError(f"a field has the unknown wire type {wire_type}")
        if position + size > len(data):
            raise WireError(f"field {number} is cut off")
        yield number, data[position : position + size]
        position += size


def as_signed(value: int) -> int:
    """Return an int32 or int64 from the unsigned number that stands for it on the wire.

    Args:
        value: the unsigned 64-bit number.

    Returns:
        The number with its sign.
    """
    return value - (1 << 64) if value >= 1 << 63 else value


def as_message(value: int | memoryview) -> memoryview:
    """Return a field's bytes, where the schema asks for a string, bytes or a message.

    Args:
        value: a field's value from `read_fields`.

    Returns:
        The same value.

    Raises:
        WireError: the field holds a number.
    """
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value


def as_number(value: int | memoryview) -> int:
    """Return a field's number, where the schema asks for one.

    Args:
        value: a field's value from `read_fields`.

    Returns:
        The same value.

    Raises:
        WireError: the field holds bytes.
    """
    if not isinstance(value, int):
        raise WireError("a message stands where a number belongs")
    return value


def as_text(value: int | memoryview) -> str:
    """Return a field's text.

    Args:
        value: a field's value from `read_fields`.

    Returns:
        The decoded text.

    Raises:
        WireError: the field holds a number, or bytes that are not UTF-8.
    """
    try:
        return bytes(as_message(value)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a name is not UTF-8") from error
