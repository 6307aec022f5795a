"""Something about a corpus that its owner should know."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    Example:
        >>> count(1, "line"), count(2_000, "line"), count(2, "copy", "copies")
        ('1 line', '2,000 lines', '2 copies')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


@dataclass(frozen=True)
class Finding:
    """Something about a corpus that its owner should know.

    Attributes:
        kind: What it is about, such as `"mojibake"`.
        count: How many cases there are.
        what: One sentence about them.
        advice: What to do about it, in one sentence.
        settings: Settings of training that do it, by name; may be empty.
        examples: A few cases, each on one line.
    """

    kind: str
    count: int
    what: str
    advice: str
    settings: dict[str, Any] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)
