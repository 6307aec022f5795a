"""Take copies of documents and personal data out of a corpus while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from textgen.config import CorpusConfig
from textgen.corpus.cleaning import cut_after
from textgen.corpus.duplicates import DuplicateFinder
from textgen.corpus.personal_data import redact


class Editor:
    """Edits texts and documents as the settings say, and counts what it did.

    Args:
        config: The settings `deduplicate` and `redact`.

    Attributes:
        counts: Documents that were left out, as `exact_duplicates` and `near_duplicates`, and
            what was replaced, by kind.
    """

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self._finder = DuplicateFinder()
        self.counts: Counter[str] = Counter()

    def redact(self, text: str) -> str:
        """Return a text without the personal data that the settings name."""
        return redact(text, self._config.redact, self.counts) if self._config.redact else text

    def redact_chunks(self, chunks: Iterable[str]) -> Iterable[str]:
        """Return a text that arrives in pieces without personal data; no line is cut."""
        return map(self.redact, cut_after(chunks, "\n")) if self._config.redact else chunks

    def without_copies(self, blocks: Iterable[list[str]]) -> Iterable[list[str]]:
        """Return blocks without the documents that copy earlier ones, if the settings say so.

        A document is held in memory as a whole.
        """
        return self._originals(blocks) if self._config.deduplicate else blocks

    def _originals(self, blocks: Iterable[list[str]]) -> Iterator[list[str]]:
        pending: list[str] = []
        for block in blocks:
            documents = []
            for text in block[:-1]:
                document = "".join([*pending, text])
                pending = []
                # Ends of documents without a text are no documents.
                if not document:
                    continue
                copied = self._finder.find(document)
                if copied:
                    self.counts[f"{copied}_duplicates"] += 1
                else:
                    documents.append(document)
            pending.append(block[-1])
            yield [*documents, ""]
        if rest := "".join(pending):
            yield [rest]
