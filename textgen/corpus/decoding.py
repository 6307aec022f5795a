"""Decodes bytes into text, in pieces: encodings, byte order marks and line ends."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator

from textgen.corpus.encoding import check_encoding
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


def decode_chunks(chunks: Iterable[bytes], encoding: str, name: str) -> Iterator[str]:
    r"""Decode bytes that arrive in pieces.

    The cuts make no difference to the text: a character or a `\r\n` may span two pieces. One
    byte order mark at the start is dropped; `\r\n` and a lone `\r` become `\n`.

    Args:
        chunks: The bytes in order.
        encoding: Name of the text encoding.
        name: Name of the source in error messages.

    Returns:
        An iterator over non-empty pieces of text.

    Raises:
        ConfigError: If Python has no text encoding of that name.
        CorpusError: If a byte cannot be decoded, or UTF-8 text holds a NUL byte.

    Example:
        >>> list(decode_chunks([b"caf\xc3", b"\xa9\r\n"], "utf-8", "menu.txt"))
        ['caf', 'é\n']
    """
    canonical = check_encoding(encoding)
    decoder = codecs.getincrementaldecoder(canonical)()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    received = 0
    at_start = True
    wide: str | None = None

    def decode(chunk: bytes, final: bool) -> str:
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            # The decoder's positions count from the bytes that it held back before this chunk.
            offset = received - len(error.object) + error.start
            raise CorpusError(
                f"{name}: byte 0x{error.object[error.start]:02x} at offset {offset} is not valid "
                f"{encoding}. {_hint(wide)}"
            ) from error
        except UnicodeError as error:
            raise CorpusError(f"{name}: not valid {encoding} ({error}). {_hint(wide)}") from error
        nonlocal at_start
        if at_start and text:
            at_start = False
            text = text.removeprefix("\ufeff")
        return newlines.decode(text, final)

    for chunk in chunks:
        if received == 0 and canonical == "utf-8":
            wide = next((hint for mark, hint in _MARKS if chunk.startswith(mark)), None)
        received += len(chunk)
        # The byte order mark of a wide encoding explains NUL bytes better than "binary".
        if canonical == "utf-8" and wide is None and b"\0" in chunk:
            raise CorpusError(f"{name}: looks like a binary file (it holds NUL bytes), not text.")
        if text := decode(chunk, final=False):
            yield text
    if text := decode(b"", final=True):
        yield text


def read_text(source: Source, encoding: str, tracker: SourceTracker | None = None) -> Iterator[str]:
    """Read and decode one source.

    Args:
        source: The file or standard input.
        encoding: Name of its text encoding.
        tracker: Counts the bytes as they are read.

    Returns:
        An iterator over non-empty pieces of text.

    Raises:
        ConfigError: If Python has no text encoding of that name.
        CorpusError: If the source cannot be read or decoded.
    """
    return decode_chunks(source.read_chunks(tracker=tracker), encoding, source.name)


def _hint(wide: str | None) -> str:
    if wide is not None:
        return f"It looks like {wide.upper()}: read it with encoding={wide}."
    return "Name the right encoding, for example encoding=latin-1."
