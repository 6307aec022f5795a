"""Names of text encodings."""

from __future__ import annotations

import codecs
import contextlib

from textgen.errors import ConfigError


def check_encoding(encoding: str) -> str:
    """Return Python's canonical name of a text encoding.

    Args:
        encoding: Any name or alias, such as `"UTF8"` or `"latin-1"`.

    Raises:
        ConfigError: If Python has no text encoding of that name.

    Example:
        >>> check_encoding("latin-1")
        'iso8859-1'
    """
    try:
        name = codecs.lookup(encoding).name
        # Some codecs, such as hex, turn bytes into bytes, which only an attempt reveals. One
        # byte is not a complete text in every encoding, so that error does not count.
        with contextlib.suppress(UnicodeError):
            b"a".decode(name)
    except (LookupError, ValueError, TypeError) as error:
        raise ConfigError(
            f"encoding must name a text encoding that Python knows. Received: {encoding!r}"
        ) from error
    return name
