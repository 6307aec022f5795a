"""Recognize what bytes are if they are not the expected text, so that errors can say so."""

from __future__ import annotations

import itertools
import re

# Magic numbers, the kinds of files that begin with them, and what to do with such a file.
_BINARY_KINDS = (
    (rb"%PDF-", "a PDF", "extract its text, for example with pdftotext"),
    (rb"PK\x03\x04.{26}mimetypeapplication/epub", "an EPUB book", "convert it to plain text"),
    (rb"PK\x03\x04.*word/", "a Word document", "save it as plain text"),
    (rb"PK\x03\x04.*xl/", "an Excel workbook", "save it as CSV"),
    (rb"PK\x03\x04.{26}mimetypeapplication/vnd", "an OpenDocument file", "save it as plain text"),
    (rb"PK\x03\x04", "a ZIP archive", "unpack it"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document", "save it as plain text"),
    (rb"\{\\rtf", "a Rich Text document", "save it as plain text"),
    (rb"\x1f\x8b", "a gzip file", "give it a name that ends in .gz"),
    (rb"BZh[1-9]1AY&SY", "a bzip2 file", "unpack it"),
    (rb"\xfd7zXZ\x00|7z\xbc\xaf'\x1c|Rar!\x1a|\x28\xb5\x2f\xfd", "an archive", "unpack it"),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\x00|MM\x00\*", "an image", ""),
    (rb"\x7fELF|MZ.{58}\x00", "a program", ""),
    (rb"SQLite format 3\x00", "an SQLite database", "export its text as CSV"),
)
_BINARY_PATTERNS = [
    (re.compile(magic, re.DOTALL), kind, advice) for magic, kind, advice in _BINARY_KINDS
]
_HEAD_BYTES = 4096
# UTF-16 is recognized from this number of characters.
_MIN_PAIRS = 4

# The encodings that texts are in, the more usual ones first.
_USUAL_ENCODINGS = [
    *("utf_8", "cp1252", "cp1250", "cp1251", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
    *("koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("iso8859_2", "iso8859_15", "mac_roman", "cp437", "cp850", "cp866"),
]
# Bytes before and after an error that the encoding is judged by, and that are shown.
_JUDGED = (8192, 24_576)
_SHOWN = (48, 24)
_MAX_READINGS = _MAX_ENCODINGS = 3


def binary_kind(head: bytes) -> tuple[str, str] | None:
    """Return what kind of binary file begins with `head`, and what to do with it.

    Example:
        >>> binary_kind(b"%PDF-1.7")
        ('a PDF', 'extract its text, for example with pdftotext')
    """
    for pattern, kind, advice in _BINARY_PATTERNS:
        if pattern.match(head[:_HEAD_BYTES]):
            return kind, advice
    return None


def utf_16_without_mark(data: bytes, offset: int = 0) -> str | None:
    """Return the UTF-16 encoding that NUL bytes at every other position stand for.

    Args:
        data: Bytes of a file without a byte order mark.
        offset: Position of `data` in the file.

    Example:
        >>> utf_16_without_mark("plain text".encode("utf-16-le"))
        'utf-16-le'
    """
    sample = data[offset % 2 :][:_HEAD_BYTES]
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if half >= _MIN_PAIRS and odd > 0.3 and even < 0.02:
        return "utf-16-le"
    if half >= _MIN_PAIRS and even > 0.3 and odd < 0.02:
        return "utf-16-be"
    return None


def fitting_encodings(data: bytes, position: int) -> list[tuple[list[str], str]]:
    """Find the encodings in which bytes read as plausible text, the most plausible first.

    Args:
        data: The bytes around an error.
        position: Position of the error in `data`.

    Returns:
        For each reading of the bytes, its encodings and the text around the error.

    Example:
        >>> fitting_encodings("Déjà vu, café".encode("cp1252"), 1)[0]
        (['cp1252'], 'Déjà vu, café')
    """
    from charset_normalizer import from_bytes

    start, stop = max(0, position - _JUDGED[0]), position + _JUDGED[1]
    # Whole lines, so that no character is cut in two.
    start = data.find(b"\n", start, position) + 1 or start
    stop = data.rfind(b"\n", position, stop) + 1 or stop
    matches = from_bytes(data[start:stop], cp_isolation=_USUAL_ENCODINGS)
    found = [match.could_be_from_charset for match in matches][:_MAX_READINGS]
    if not any("cp1252" in encodings for encodings in found):
        # Most texts in Western languages are, although short ones rarely convince the detector.
        found.append(["cp1252"] if _is_decodable(data[start:stop], "cp1252") else [])
    readings: dict[str, list[str]] = {}
    for encoding in itertools.chain.from_iterable(found):
        readings.setdefault(_reading(data, position, encoding), []).append(encoding)
    return [
        (sorted(encodings, key=_USUAL_ENCODINGS.index)[:_MAX_ENCODINGS], text)
        for text, encodings in readings.items()
    ]


def _is_decodable(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _reading(data: bytes, position: int, encoding: str) -> str:
    """Return the text around a position, of its line, on one line."""
    start, stop = position - _SHOWN[0], position + _SHOWN[1]
    line_start = data.rfind(b"\n", 0, position) + 1
    if line_start < start:
        # A cut at a space is no cut through a character in most encodings.
        start = data.find(b" ", start, position) + 1 or start
    line_stop = data.find(b"\n", position)
    shown = data[max(line_start, start) : min(stop, len(data) if line_stop < 0 else line_stop)]
    return shown.decode(encoding, errors="ignore").strip()
