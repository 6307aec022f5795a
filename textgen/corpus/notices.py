"""Warnings about files and rows: one per kind of problem, not one per case."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict

_MAX_NAMED = 3

_logger = logging.getLogger(__name__)


class Notices:
    """Counts what was skipped or looks wrong, and warns once about each kind.

    Example:
        >>> notices = Notices()
        >>> for name in ["a.png", "b.png"]:
        ...     notices.add("Skipped binary files", name)
        >>> notices.warn()  # logs "Skipped binary files: 2 (a.png, b.png)."
    """

    def __init__(self) -> None:
        self._cases: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, kind: str, case: str) -> None:
        """Count a case.

        Args:
            kind: What happened, for example `"Skipped binary files"`.
            case: Where it happened. Equal ones are named once.
        """
        self._cases[kind][case] += 1

    def warn(self) -> None:
        """Log one warning for each kind, and forget them all."""
        for kind, cases in self._cases.items():
            named = ", ".join(list(cases)[:_MAX_NAMED])
            more = f" and {len(cases) - _MAX_NAMED} more" if len(cases) > _MAX_NAMED else ""
            _logger.warning("%s: %d (%s%s).", kind, cases.total(), named, more)
        self._cases.clear()
