r"""Escapes in texts on the command line: \n is a line end, \t a tab, \\ a backslash."""

from __future__ import annotations

import re

_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\\": "\\"}


def unescape(text: str) -> str:
    r"""Return a text with its escapes replaced; any other backslash stays as it is.

    Example:
        >>> unescape(r"one\ntwo \d")
        'one\ntwo \\d'
    """
    return re.sub(r"\\[nt\\]", lambda escape: _ESCAPES[escape[0]], text)
