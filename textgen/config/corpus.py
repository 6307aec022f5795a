"""Settings for reading and cleaning a corpus."""

from __future__ import annotations

import dataclasses
from typing import Literal

from textgen.checks import check, check_choice
from textgen.record import Record

DocumentSplit = Literal["none", "line", "blank-line", "file"]
Normalization = Literal["none", "nfc", "nfkc"]


@dataclasses.dataclass(frozen=True)
class CorpusConfig(Record):
    """How files are read, cleaned and split into documents.

    Attributes:
        encoding: Text encoding of all files.
        lowercase: Convert all letters to lower case.
        strip_html: Remove HTML tags, comments, scripts and styles; decode entities.
        strip_punctuation: Remove every character of Unicode category P.
        normalize: Unicode normalization form.
        split_documents: Where one document ends and the next begins.
        text_column: Name of the column (CSV) or key (JSON Lines) that holds the text. Defaults
            to `"text"`. Every row is a document.
        validation_split: Fraction of the corpus, at its end, that is kept for validation.

    Example:
        >>> CorpusConfig(lowercase=True, split_documents="line").cleans
        True
    """

    encoding: str = "utf-8"
    lowercase: bool = False
    strip_html: bool = False
    strip_punctuation: bool = False
    normalize: Normalization = "none"
    split_documents: DocumentSplit = "none"
    text_column: str | None = None
    validation_split: float = 0.1

    def __post_init__(self) -> None:
        check_choice(self, "normalize")
        check_choice(self, "split_documents")
        fits = self.text_column is None or isinstance(self.text_column, str)
        check(fits, "text_column must be a name", self.text_column)
        check(
            isinstance(self.validation_split, (int, float)) and 0 < self.validation_split < 1,
            "validation_split must be in (0, 1)",
            self.validation_split,
        )

    @property
    def cleans(self) -> bool:
        """Whether cleaning can change a text."""
        changes = self.lowercase or self.strip_html or self.strip_punctuation
        return changes or self.normalize != "none"
