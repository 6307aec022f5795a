"""Read the protobuf wire format, as far as a SavedModel needs it.

A message is a sequence of fields; each is a key (field number and wire type) and a value.
This module does not know what the numbers mean; `signatures` and `graph` do.

References:
    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

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


def messages(data: bytes, number: int) -> list[bytes]:
    """Return the values of a repeated field of messages, strings or bytes.

    Args:
        data: The bytes of the message that has the field.
        number: The field number.

    Raises:
        WireError: If the data is not a message, or the field holds numbers.
    """
    return [as_message(value) for found, value in read_fields(data) if found == number]


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
