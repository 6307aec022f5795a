"""Unicode text: the one check for lone surrogates, and the one form of line ends.

Python strings can hold halves of a surrogate pair, for example from JSON (`"\\ud800"`) or from
file names that are not UTF-8. Such a string is not text, and no UTF encoding can represent it.
"""

from __future__ import annotations


def lone_surrogate(text: str) -> str | None:
    """Return the first lone surrogate of `text` and its position, or `None` if it has none.

    Example:
        >>> lone_surrogate("a\\ud800")
        'U+D800 at character 1'
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return _describe(error)
    return None


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
            f"Received: {_describe(failure)}"
        ) from None


def to_plain_text(text: str) -> str:
    r"""Drop a byte order mark at the start, and convert all line ends to `\n`.

    Example:
        >>> to_plain_text("\ufeffone\r\ntwo")
        'one\ntwo'
    """
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _describe(error: UnicodeEncodeError) -> str:
    return f"U+{ord(error.object[error.start]):04X} at character {error.start}"
