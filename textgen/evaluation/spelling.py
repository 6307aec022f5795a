"""The text of each token of a sequence, also where a character has several tokens."""

from __future__ import annotations

import codecs
from collections.abc import Iterable


def spell(pieces: Iterable[bytes]) -> list[str]:
    """Return the text of tokens; a character of several tokens is the text of the last.

    Args:
        pieces: The UTF-8 bytes of each token. A special token, which has none, becomes U+FFFD.

    Example:
        >>> spell(["é".encode()[:1], "é".encode()[1:], b"a"])
        ['', 'é', 'a']
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(piece) if piece else "\ufffd" for piece in pieces]
