"""Settings for reading and cleaning a corpus."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from textgen.checks import check, check_choice, is_text
from textgen.errors import ConfigError
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
        prompt_column: Name or number of the column that holds the prompt. The text is its answer,
            and only answers are learned.
        label_column: Name or number of the column that holds the label of the text, such as its
            style. The label is the prompt.
        label_files: Make the name of each file, without its extension, the label of its
            documents.
        template: Jinja template of what comes before an answer, with `prompt`, or with `messages`
            as in chat templates. Jinja drops a newline at the end of a template. Defaults to the
            template of the model to begin from, or a plain one.
        skip_bad_rows: Skip and count malformed rows of tables instead of raising an error.
        deduplicate: Leave out documents that are exact or near copies of earlier ones.
        redact: Kinds of personal data to replace by their names in brackets: `"email"`,
            `"iban"`, `"id"` (identity numbers), `"card"`, `"phone"`, `"ip"`.
        validation_split: Fraction of the corpus, at its end, that is kept for validation; 0 to
            train on everything. If `None`, 0.1, or 0 if a tenth is too little to validate with.

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
    prompt_column: str | None = None
    label_column: str | None = None
    label_files: bool = False
    template: str | None = None
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
        for name in ("text_column", "prompt_column", "label_column"):
            value = getattr(self, name)
            rule = f"{name} must be a string, the name or number of a column"
            check(value is None or isinstance(value, str), rule, value)
        fits = self.template is None or is_text(self.template)
        check(fits, "template must be a non-empty string of Unicode text", self.template)
        if sum([self.prompt_column is not None, self.has_labels]) > 1 or (
            self.label_column is not None and self.label_files
        ):
            raise ConfigError(
                "prompt_column, label_column and label_files cannot be combined. Received: several"
            )
        if self.label_files and self.split_documents == "none":
            raise ConfigError(
                "label_files needs split_documents, because every document begins with its label. "
                "Received: split_documents='none'"
            )
        kinds = (self.redact,) if isinstance(self.redact, str) else tuple(self.redact)
        for kind in kinds:
            known = ", ".join(PERSONAL_DATA)
            check(kind in PERSONAL_DATA, f"redact must be one or more of {known}", kind)
        self._fill_in(redact=kinds)
        split = self.validation_split
        fits = split is None or (isinstance(split, (int, float)) and 0 <= split < 1)
        check(fits, "validation_split must be in [0, 1)", split)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a dictionary of JSON values."""
        return {**super().to_dict(), "redact": list(self.redact)}

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns of tables that are read, by setting; the text is the last."""
        more = {"prompt_column": self.prompt_column, "label_column": self.label_column}
        given = {name: column for name, column in more.items() if column is not None}
        return {**given, "text_column": self.text_column}

    @property
    def has_labels(self) -> bool:
        """Whether every document has a label."""
        return self.label_column is not None or self.label_files

    @property
    def cleans(self) -> bool:
        """Whether cleaning can change a text."""
        changes = self.lowercase or self.strip_html or self.strip_punctuation
        return changes or self.normalize != "none"
