"""Settings for reading and cleaning a corpus."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from textgen.checks import check, check_choice, is_text
from textgen.record import Record

DOCUMENT_SPLITS = ("none", "line", "blank-line", "file")
# Kinds of personal data that have a pattern; `textgen.corpus.personal_data` knows how they look.
PERSONAL_DATA = ("email", "iban", "id", "card", "phone", "ip")
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
        split_documents: Where one document ends and the next begins: `"none"`, `"line"`,
            `"blank-line"`, `"file"`, or the text of the lines that separate documents.
        text_column: Name of the column (CSV, TSV) or key (JSON) that holds the text; the number
            of the column, from 1, if there is no header. Defaults to `"text"`. Every row is a
            document.
        skip_bad_rows: Skip and count malformed rows of tables instead of raising an error.
        deduplicate: Leave out documents that are copies of earlier ones, or nearly.
        redact: Kinds of personal data to replace by their names in brackets: `"email"`,
            `"iban"`, `"id"` (identity numbers), `"card"`, `"phone"`, `"ip"`.
        validation_split: Fraction of the corpus, at its end, that is kept for validation; 0 to
            train on everything. If `None`, 0.1, or 0 if that is too little to judge by.

    Example:
        >>> textgen.CorpusConfig(lowercase=True, split_documents="line").cleans
        True
    """

    encoding: str = "utf-8"
    lowercase: bool = False
    strip_html: bool = False
    strip_punctuation: bool = False
    normalize: Normalization = "none"
    split_documents: str = "none"
    text_column: str | None = None
    skip_bad_rows: bool = False
    deduplicate: bool = False
    redact: tuple[str, ...] = ()
    validation_split: float | None = None

    def __post_init__(self) -> None:
        check_choice(self, "normalize")
        fits = is_text(self.split_documents) and bool(self.split_documents.strip())
        check(
            fits and self.split_documents.strip().isprintable(),
            f"split_documents must be {', '.join(DOCUMENT_SPLITS)} or one line of text",
            self.split_documents,
        )
        fits = self.text_column is None or isinstance(self.text_column, str)
        check(fits, "text_column must be a name", self.text_column)
        kinds = (self.redact,) if isinstance(self.redact, str) else tuple(self.redact)
        for kind in kinds:
            check(kind in PERSONAL_DATA, f"redact must be among {', '.join(PERSONAL_DATA)}", kind)
        self._fill_in(redact=kinds)
        split = self.validation_split
        fits = split is None or (isinstance(split, (int, float)) and 0 <= split < 1)
        check(fits, "validation_split must be in [0, 1)", split)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON values."""
        return {**super().to_dict(), "redact": list(self.redact)}

    @property
    def cleans(self) -> bool:
        """Whether cleaning can change a text."""
        changes = self.lowercase or self.strip_html or self.strip_punctuation
        return changes or self.normalize != "none"
