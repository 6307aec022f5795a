"""Whether a Python string is Unicode text: the one check for lone surrogates.

Python strings can hold halves of a surrogate pair, for example from JSON (`"\\ud800"`) or from
file names that are not UTF-8. Such a string is not text, and no UTF encoding can represent it.
"""

from __future__ import annotations


def is_unicode(text: str) -> bool:
    """Return whether `text` is free of lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_unicode(
    text: str, error: type[Exception], encoding: str = "utf-8", subject: str = "Text"
) -> bytes:
    """Return `text.encode(encoding)`.

    Args:
        text: Any string.
        error: The exception to raise.
        encoding: A UTF encoding.
        subject: What the message calls the text.

    Raises:
        error: If `text` holds a lone surrogate.

    Example:
        >>> encode_unicode("é", CorpusError)
        b'\\xc3\\xa9'
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as failure:
        raise error(
            f"{subject} must be Unicode text without lone surrogates. "
            f"Received: U+{ord(text[failure.start]):04X} at character {failure.start}"
        ) from None
