"""Decodes bytes into text, in pieces: encodings, byte order marks and line ends."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator

from textgen.corpus.detection import binary_kind, fitting_encodings, utf_16_without_mark
from textgen.corpus.encoding import check_encoding
from textgen.corpus.notices import Notices
from textgen.corpus.sources import Source
from textgen.corpus.tracking import SourceTracker
from textgen.errors import CorpusError

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# C1 control characters are in no text, but for U+0085, an old line end. Bytes that are one in
# latin-1 are punctuation in cp1252 and letters in many other encodings.
_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
_UTF_8_CONTROLS = re.compile(b"\xc2[\x80-\x84\x86-\x9f]")
# With more of them, a file with NUL bytes is binary rather than a text with a mistake.
_MAX_NULS = 1 / 1000
_CONTROLS_NOTICE = "Files with control characters, which were probably in another encoding"


def decode_chunks(
    chunks: Iterable[bytes], encoding: str, name: str, notices: Notices | None = None
) -> Iterator[str]:
    r"""Decode bytes that arrive in pieces.

    The cuts make no difference to the text: a character or a `\r\n` may span two pieces. One
    byte order mark at the start is dropped; `\r\n` and a lone `\r` become `\n`.

    Args:
        chunks: The bytes in order.
        encoding: Name of the text encoding.
        name: Name of the source in error messages.
        notices: Collects warnings about text that was probably decoded wrongly.

    Returns:
        An iterator over non-empty pieces of text.

    Raises:
        ConfigError: If Python has no text encoding of that name.
        CorpusError: If the file is not text, a byte cannot be decoded, or UTF-8 text holds a
            NUL byte.

    Example:
        >>> list(decode_chunks([b"caf\xc3", b"\xa9\r\n"], "utf-8", "menu.txt"))
        ['caf', 'é\n']
    """
    canonical = check_encoding(encoding)
    decoder = codecs.getincrementaldecoder(canonical)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    received = 0
    at_start, has_controls = True, False
    wide: str | None = None

    def decode(chunk: bytes, final: bool) -> str:
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            # The decoder's positions count from the bytes that it held back before this chunk.
            offset = received - len(error.object) + error.start
            raise CorpusError(
                f"{name}: byte 0x{error.object[error.start]:02x} at offset {offset} is not valid "
                f"{encoding}. {_hint(wide, error)}"
            ) from error
        except UnicodeError as error:
            raise CorpusError(f"{name}: not valid {encoding} ({error}). {_hint(wide)}") from error
        nonlocal at_start
        if at_start and text:
            at_start = False
            text = text.removeprefix("\ufeff")
        return newlines.decode(text, final)

    for chunk in chunks:
        if received == 0:
            _check_kind(chunk, name)
            if canonical == "utf-8":
                wide = next((hint for mark, hint in _MARKS if chunk.startswith(mark)), None)
        # The byte order mark of a wide encoding explains NUL bytes better than "binary".
        if canonical == "utf-8" and wide is None and b"\0" in chunk:
            raise CorpusError(f"{name}: {_describe_nul(chunk, received)}")
        received += len(chunk)
        if text := decode(chunk, final=False):
            if not has_controls and (found := _find_control(chunk, text, canonical)):
                has_controls = True
                if notices is not None:
                    notices.add(_CONTROLS_NOTICE, f"{name}: U+{ord(found):04X}")
            yield text
    if text := decode(b"", final=True):
        yield text


def read_text(
    source: Source,
    encoding: str,
    tracker: SourceTracker | None = None,
    notices: Notices | None = None,
) -> Iterator[str]:
    """Read and decode one source.

    Args:
        source: The file or standard input.
        encoding: Name of its text encoding.
        tracker: Counts the bytes as they are read.
        notices: Collects warnings about text that was probably decoded wrongly.

    Returns:
        An iterator over non-empty pieces of text.

    Raises:
        ConfigError: If Python has no text encoding of that name.
        CorpusError: If the source cannot be read or decoded.
    """
    return decode_chunks(source.read_chunks(tracker=tracker), encoding, source.name, notices)


def _check_kind(head: bytes, name: str) -> None:
    if found := binary_kind(head):
        kind, advice = found
        raise CorpusError(f"{name}: this is {kind}, not text{advice and '; '}{advice}.")


def _describe_nul(chunk: bytes, offset: int) -> str:
    """Explain the NUL bytes of a UTF-8 file, from a chunk that starts at `offset`."""
    where = f"NUL byte at offset {offset + chunk.index(0)}"
    if wide := utf_16_without_mark(chunk, offset):
        return f"{where}. It looks like UTF-16 without a byte order mark: use encoding={wide}."
    if chunk.count(0) > _MAX_NULS * len(chunk):
        return f"looks like a binary file ({where}), not text."
    return f"{where}. A text must not contain any: remove it, for example with tr -d '\\0'."


def _find_control(chunk: bytes, text: str, encoding: str) -> str | None:
    """Return the first C1 control character of a chunk and its text."""
    if text.isascii():
        return None
    if encoding == "utf-8" and not _UTF_8_CONTROLS.search(chunk):
        return None  # searching bytes is faster
    found = _CONTROLS.search(text)
    return found and found[0]


def _hint(wide: str | None, error: UnicodeDecodeError | None = None) -> str:
    if wide is not None:
        return f"It looks like {wide.upper()}: use encoding={wide}."
    readings = fitting_encodings(error.object, error.start) if error else []
    if not readings:
        return "No usual encoding fits; is the file damaged?"
    shown = "; ".join(f'{" or ".join(encodings)} reads "{text}"' for encodings, text in readings)
    return (
        f"In other encodings: {shown}. If one reads right, use encoding=NAME for all files, or "
        "convert this file to utf-8."
    )
