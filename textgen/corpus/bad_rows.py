"""What happens to a malformed row of a table: an error, or a count of skipped rows."""

from __future__ import annotations

from textgen.corpus.notices import Notices
from textgen.errors import CorpusError


class BadRows:
    """Rejects malformed rows of one file.

    Attributes:
        name: Name of the file in messages.
        skip: Whether to skip and count bad rows instead of raising an error.
        notices: Collects warnings about the file.
    """

    def __init__(self, name: str, skip: bool, notices: Notices) -> None:
        self.name = name
        self.skip = skip
        self.notices = notices

    def reject(self, where: str, problem: str) -> None:
        """Skip a row, or raise an error.

        Args:
            where: For example `"line 3"`.
            problem: What is wrong with the row, to follow `where` in a sentence.

        Raises:
            CorpusError: If bad rows are not skipped.
        """
        if not self.skip:
            raise CorpusError(
                f"{self.name}: {where}{problem} Correct it, or set skip_bad_rows to skip such rows."
            )
        self.notices.add("Skipped bad rows", f"{self.name} {where}")
