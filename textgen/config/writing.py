"""What every way of writing is told, drawing and searching alike."""

from __future__ import annotations

from textgen.config.checks import check_texts, check_whole
from textgen.config.record import Record


class WritingRecord(Record):
    """Checks how much to write, where a text ends and what is never written.

    The fields themselves stand in the subclasses: their order is that of the constructor.
    """

    max_new_tokens: int
    stop: tuple[str, ...]
    banned: tuple[str, ...]

    def __post_init__(self) -> None:
        check_whole(self, "max_new_tokens", 1)
        for name in ("stop", "banned"):
            check_texts(self, name)
