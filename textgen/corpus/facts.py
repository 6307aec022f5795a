"""What a training run and a model card record about a corpus."""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass
from typing import Any

from textgen.version import __version__

# Another version of textgen or of Unicode may clean the same bytes into another text.
CLEANED_BY = f"textgen {__version__}, Unicode {unicodedata.unidata_version}"

_REQUIRED = {
    **dict.fromkeys(("description", "digest"), str),
    "has_documents": bool,
    **dict.fromkeys(("num_documents", "num_characters", "validation_characters"), int),
}
_OPTIONAL: dict[str, Any] = {
    "test_characters": 0,
    "replay_characters": 0,
    "edits": {},
    "has_prompts": False,
    "labels": (),
}


@dataclass(frozen=True)
class CorpusFacts:
    """Facts about a corpus, without its text.

    Attributes:
        description: The names of its files, in a few words.
        digest: SHA-256 of all documents in hexadecimal. It differs if any text or document
            boundary differs.
        source_digest: SHA-256 of the files it was read from. The same bytes, cleaned the same
            way, become the same corpus. `None` in a record from an earlier version.
        has_documents: Whether the corpus consists of separate documents. If false, its
            training and validation parts are two parts of one text.
        num_documents: Documents in all parts.
        num_characters: Characters (code points) to learn in all parts: of a document with
            prompts, its answers.
        validation_characters: Characters in the validation part.
        test_characters: Characters in the test part.
        edits: What was taken out: documents that were copies, as `exact_duplicates` and
            `near_duplicates`, and personal data by kind.
        replay_characters: Characters in older text that is mixed into the training.
        has_prompts: Whether documents have prompts, of which only the answers are learned.
        labels: The labels of its documents, if they have any.
        cleaned_by: The versions of textgen and Unicode that cleaned it. `None` in a record
            from an earlier version.

    Example:
        >>> with read_corpus(find_files(["poems.txt"]), CorpusConfig()) as corpus:
        ...     corpus.facts.num_characters
        5460
    """

    description: str
    digest: str
    source_digest: str | None
    has_documents: bool
    num_documents: int
    num_characters: int
    validation_characters: int
    cleaned_by: str | None = CLEANED_BY
    test_characters: int = 0
    edits: dict[str, int] = dataclasses.field(default_factory=dict)
    replay_characters: int = 0
    has_prompts: bool = False
    labels: tuple[str, ...] = ()

    @property
    def train_characters(self) -> int:
        """Characters in the training part."""
        others = self.validation_characters + self.test_characters + self.replay_characters
        return self.num_characters - others

    def to_dict(self) -> dict[str, Any]:
        """Return the facts that are known, as JSON values. A corpus may lack optional parts."""
        values = dataclasses.asdict(self)
        values["labels"] = list(self.labels)
        absent = [name for name in _OPTIONAL if not values[name]]
        return {k: v for k, v in values.items() if v is not None and k not in absent}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CorpusFacts:
        """Build the record from the result of `to_dict`.

        Args:
            values: Facts by name. Names that this version does not know are ignored.

        Raises:
            ValueError: If a fact is missing or has the wrong type.
        """
        for fact, kind in _REQUIRED.items():
            if not isinstance(values.get(fact), kind):
                raise ValueError(f"the corpus lacks {fact!r}")
        facts: dict[str, Any] = {
            field.name: values.get(field.name) for field in dataclasses.fields(cls)
        }
        optional = {name: facts[name] or default for name, default in _OPTIONAL.items()}
        return cls(**{**facts, **optional, "labels": tuple(optional["labels"])})
