"""The names of text encodings."""

from __future__ import annotations

import codecs
import contextlib

from textgen.errors import ConfigError


def check_encoding(encoding: str) -> str:
    """Return Python's own name of a text encoding.

    Args:
        encoding: any name or alias, such as `"UTF8"` or `"latin-1"`.

    Returns:
        The canonical name, such as `"utf-8"` or `"iso8859-1"`.

    Raises:
        ConfigError: Python knows no text encoding of that name.
    """
    try:
        name = codecs.lookup(encoding).name
        # Some codecs, such as hex, turn bytes into bytes. Only an attempt tells them apart; that
        # the codec runs is enough, as one byte is no complete text in every encoding.
        with contextlib.suppress(UnicodeError):
            b"a".decode(name)
    except (LookupError, ValueError, TypeError) as error:
        raise ConfigError(
            f"encoding must name a text encoding that Python knows. Received: {encoding!r}"
        ) from error
    return name
