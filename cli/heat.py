"""A text in the terminal, every token colored by its surprise."""

from __future__ import annotations

from collections.abc import Iterable

import click
from textgen.cli.screen import visible

# Bits from which a token has the color, from hardly surprising to as surprising as it gets.
_COLORS = (
    (10.0, (222, 90, 50)),
    (7.0, (238, 140, 90)),
    (5.0, (246, 184, 140)),
    (3.0, (252, 222, 196)),
)


def heat(tokens: Iterable[tuple[str, float]]) -> str:
    """Return a text with ANSI colors.

    Args:
        tokens: Each token's text and its cost in bits.
    """
    return "".join(_colored(visible(text, keep="\n\t"), bits) for text, bits in tokens)


def legend() -> str:
    """Return what the colors mean, in a line."""
    parts = [_colored(f" {low:g} ", low) for low, _ in reversed(_COLORS)]
    return f"surprise per token: {' '.join(parts)} bits and more"


def _colored(text: str, bits: float) -> str:
    color = next((color for low, color in _COLORS if bits >= low), None)
    if color is None or not text:
        return text
    # A line end would carry the color to the edge of the terminal.
    return "\n".join(
        click.style(part, fg=(20, 20, 20), bg=color) if part else "" for part in text.split("\n")
    )
