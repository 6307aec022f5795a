"""Numbers in names that users, files and models give."""

from __future__ import annotations


def whole_number(text: str) -> int | None:
    """Return the number that a text of up to 18 ASCII digits stands for, or else `None`.

    `int` takes digits of any script, and raises an error at thousands of them.

    Example:
        >>> whole_number("12"), whole_number("-1"), whole_number("9" * 5000)
        (12, None, None)
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None
