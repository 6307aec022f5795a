"""Bytes as printable characters, the way GPT-2's vocabulary and all after it spell them.

A byte is represented by its Latin-1 character if that is printable, otherwise by a character
from U+0100 on: a space is "Ġ", a newline "Ċ".
"""

from __future__ import annotations

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_UNPRINTABLE = sorted({*range(256)} - {*_PRINTABLE})
# From a Latin-1 character to the symbol, and back.
_SYMBOLS = {byte: byte for byte in _PRINTABLE} | {
    byte: 0x100 + index for index, byte in enumerate(_UNPRINTABLE)
}
# A character that is no symbol becomes one that Latin-1 does not have.
_BYTES = dict.fromkeys(_UNPRINTABLE, 256) | {symbol: byte for byte, symbol in _SYMBOLS.items()}


def to_symbols(piece: bytes) -> str:
    """Return one printable character per byte.

    Example:
        >>> to_symbols(b" the")
        'Ġthe'
    """
    return piece.decode("latin-1").translate(_SYMBOLS)


def from_symbols(symbols: str) -> bytes:
    """Return the bytes of the result of `to_symbols`.

    Raises:
        ValueError: If a character represents no byte.

    Example:
        >>> from_symbols("Ġthe")
        b' the'
    """
    return symbols.translate(_BYTES).encode("latin-1")
