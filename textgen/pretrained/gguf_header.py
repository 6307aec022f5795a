"""The header of a GGUF file: its metadata, and where its tensors are.

The package `gguf` reads these too, but trusts every count and length in the file, and takes
seconds for a large vocabulary.

Reference:
    The page "gguf" of https://github.com/ggml-org/ggml.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from textgen.errors import PublishedModelError

_MAGIC, _VERSIONS = b"GGUF", (2, 3)
_STRING, _ARRAY = 8, 9
# The types of numbers, as `struct` spells them.
_NUMBERS = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))
_MAX_COUNT = 1 << 22
_MAX_STRING_BYTES = 1 << 24
_MAX_DIMENSIONS = 4
_ALIGNMENT = 32


class TensorEntry(NamedTuple):
    """Where a tensor is.

    Attributes:
        shape: Its shape, in the order of NumPy; the file has it the other way round.
        kind: The number of the type of its data.
        offset: Where it begins in the file.
    """

    shape: tuple[int, ...]
    kind: int
    offset: int


class Header(NamedTuple):
    """The header of a GGUF file.

    Attributes:
        metadata: Numbers, strings, and lists of them, by name.
        tensors: The tensors by name.
    """

    metadata: dict[str, Any]
    tensors: dict[str, TensorEntry]


def read_header(content: memoryview) -> Header:
    """Return the header of a GGUF file.

    Args:
        content: The file.

    Raises:
        PublishedModelError: If it is truncated, damaged or of another version.
    """
    try:
        return _Cursor(content).header()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise PublishedModelError(f"The GGUF file is truncated or damaged ({error}).") from error


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._position = 0

    def header(self) -> Header:
        if self._content[:4] != _MAGIC:
            raise PublishedModelError("The file is not a GGUF file.")
        self._position = 4
        version = self._number("I")
        if version not in _VERSIONS:
            raise PublishedModelError(
                f"The version of a GGUF file must be {' or '.join(map(str, _VERSIONS))}. "
                f"Received: {version}"
            )
        num_tensors, num_values = self._count("tensors"), self._count("values")
        metadata = {}
        for _ in range(num_values):
            name = self._string()
            metadata[name] = self._value(self._number("I"))
        entries = [self._entry() for _ in range(num_tensors)]
        alignment = metadata.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 16:
            raise PublishedModelError(f"The GGUF file is damaged (an alignment of {alignment!r}).")
        start = -(-self._position // alignment) * alignment
        tensors = {name: entry._replace(offset=start + entry.offset) for name, entry in entries}
        return Header(metadata, tensors)

    def _numbers(self, kinds: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{kinds}", self._content, self._position)
        self._position += struct.calcsize(f"<{kinds}")
        return values

    def _number(self, kind: str) -> Any:
        return self._numbers(kind)[0]

    def _count(self, what: str, most: int = _MAX_COUNT) -> int:
        count = self._number("Q")
        if count > most:
            raise PublishedModelError(f"The GGUF file is damaged ({count} {what}).")
        return count

    def _string(self) -> str:
        length = self._count("bytes of text", _MAX_STRING_BYTES)
        end = self._position + length
        if end > len(self._content):
            raise IndexError("a text goes past the end")
        text = bytes(self._content[self._position : end]).decode("utf-8")
        self._position = end
        return text

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner, count = self._number("I"), self._count("elements")
            if inner in _NUMBERS:
                return list(self._numbers(f"{count}{_NUMBERS[inner]}"))
            if inner != _STRING:
                raise PublishedModelError(f"The GGUF file is damaged (a list of type {inner}).")
            return [self._string() for _ in range(count)]
        if kind not in _NUMBERS:
            raise PublishedModelError(f"The GGUF file is damaged (a value of type {kind}).")
        return self._number(_NUMBERS[kind])

    def _entry(self) -> tuple[str, TensorEntry]:
        name, num_dimensions = self._string(), self._number("I")
        if not 0 < num_dimensions <= _MAX_DIMENSIONS:
            raise PublishedModelError(f"The GGUF file is damaged ({num_dimensions} dimensions).")
        shape = tuple(self._number("Q") for _ in range(num_dimensions))
        return name, TensorEntry(shape[::-1], self._number("I"), self._number("Q"))
