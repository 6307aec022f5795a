"""Counts characters, lines and findings while the documents of a corpus are read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgen.config import PERSONAL_DATA, CorpusConfig
from textgen.corpus import (
    DuplicateFinder,
    Notices,
    Source,
    SourceTracker,
    find_personal_data,
    read_blocks,
)
from textgen.errors import CorpusError
from textgen.evaluation import Alphabet, KneserNey
from textgen.inspection.characters import character_findings, entropy, find_mojibake, scripts
from textgen.inspection.finding import Finding, count
from textgen.metrics import bits

_LONG_LINE = 10_000
_MAX_EXAMPLES = 3
_EXAMPLE_CHARACTERS = 80
# Lines this long that occur this often are no accident, but headers, menus or licenses.
_MIN_REPEATED_CHARACTERS, _MIN_REPEATS = 30, 5
_MAX_LINES_REMEMBERED = 1_000_000
# Longer documents are not compared with others.
_MAX_COMPARED = 10_000_000
# This much text is enough for a model that counts characters.
_SAMPLE_CHARACTERS = 5_000_000
_QUANTILES = (0, 0.05, 0.5, 0.95, 1)
_NAMES = {
    "email": ("e-mail address", "e-mail addresses"),
    "iban": ("bank account", "bank accounts"),
    "id": ("identity number", "identity numbers"),
    "card": ("card number", "card numbers"),
    "phone": ("phone number", "phone numbers"),
    "ip": ("IP address", "IP addresses"),
}


@dataclass(frozen=True)
class Inspection:
    """What is in a corpus.

    Attributes:
        description: The files, in a few words.
        facts: Sizes and numbers by name.
        scripts: The scripts of the letters with their fractions.
        document_lengths: Characters of the shortest document, at 5, 50 and 95 %, and the longest.
        findings: What its owner should know or do.
    """

    description: str
    facts: dict[str, float]
    scripts: tuple[tuple[str, float], ...]
    document_lengths: tuple[int, ...]
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)


class Reading:
    """Counts characters, lines and findings while documents are read."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.unreadable: list[str] = []
        self._counts: Counter[str] = Counter()
        self._mojibake: Counter[str] = Counter()
        self._personal: Counter[str] = Counter()
        self._personal_examples: dict[str, str] = {}
        self._lines: Counter[str] = Counter()
        self._duplicates: Counter[str] = Counter()
        self._copies: list[str] = []
        self._finder = DuplicateFinder()
        # The document that is being read: its length, its text, and its last line so far.
        self._length = 0
        self._document: list[str] = []
        self._line: list[str] = []
        self._num_bytes = self._num_words = self._num_lines = self._longest_line = 0
        self._long_lines = 0
        self._sample: list[str] = []
        self._sampled = 0

    def read(self, source: Source, config: CorpusConfig, tracker: SourceTracker) -> None:
        """Read one source, in pieces: a document may be larger than memory."""
        try:
            for block in read_blocks([source], config, tracker, Notices()):
                *ended, last = block
                for text in ended:
                    self._add(text)
                    self._end_document()
                self._add(last)
        except CorpusError as error:
            self.unreadable.append(str(error))
        self._end_document()

    def _add(self, text: str) -> None:
        """Add a part of a document, up to its last whole line."""
        self._length += len(text)
        self._document = [*self._document, text] if self._length <= _MAX_COMPARED else []
        whole, mark, rest = text.rpartition("\n")
        if mark:
            self._look_at("".join([*self._line, whole, mark]))
            self._line = []
        self._line.append(rest)

    def _end_document(self) -> None:
        if not self._length:
            return
        self._look_at("".join(self._line))
        self._num_lines += 1
        self.lengths.append(self._length)
        text = "".join(self._document)
        if self._length <= _MAX_COMPARED and (copied := self._finder.find(text)):
            self._duplicates[copied] += 1
            if len(self._copies) < _MAX_EXAMPLES:
                self._copies.append(_one_line(text))
        self._sample.append("\n" if self._sampled < _SAMPLE_CHARACTERS else "")
        self._length, self._document, self._line = 0, [], []

    def _look_at(self, text: str) -> None:
        """Count what whole lines hold."""
        self._counts.update(Counter(text))
        self._num_bytes += len(text.encode("utf-8", "surrogatepass"))
        self._num_words += len(text.split())
        self._mojibake.update(find_mojibake(text))
        self._num_lines += text.count("\n")
        for line in text.split("\n"):
            self._longest_line = max(self._longest_line, len(line))
            self._long_lines += len(line) > _LONG_LINE
            if len(line) >= _MIN_REPEATED_CHARACTERS and (
                line in self._lines or len(self._lines) < _MAX_LINES_REMEMBERED
            ):
                self._lines[line] += 1
        for kind, start, stop in find_personal_data(text):
            self._personal[kind] += 1
            self._personal_examples.setdefault(kind, _masked(text[start:stop]))
        if self._sampled < _SAMPLE_CHARACTERS:
            self._sample.append(text[: _SAMPLE_CHARACTERS - self._sampled])
            self._sampled += len(text)

    def result(self, description: str, num_files: int, config: CorpusConfig) -> Inspection:
        """Return what was found."""
        facts: dict[str, float] = {
            "files": num_files,
            "bytes": self._num_bytes,
            "characters": sum(self.lengths),
            "words": self._num_words,
            "lines": self._num_lines,
            "documents": len(self.lengths),
            "different characters": len(self._counts),
            "bits per character, single characters": entropy(self._counts),
        }
        if (predicted := _predicted_bits("".join(self._sample))) is not None:
            facts["bits per character, Kneser-Ney 5"] = predicted
        lengths = np.quantile(self.lengths, _QUANTILES, method="inverted_cdf")
        return Inspection(
            description,
            facts,
            tuple(scripts(self._counts)),
            tuple(int(length) for length in lengths),
            tuple(self._findings(config)),
        )

    def _findings(self, config: CorpusConfig) -> list[Finding]:
        found = []
        if self.unreadable:
            found.append(
                Finding(
                    "unreadable files",
                    len(self.unreadable),
                    f"Not {config.encoding} text: {count(len(self.unreadable), 'file')}.",
                    "Name their encoding, or leave them out.",
                    examples=tuple(self.unreadable[:_MAX_EXAMPLES]),
                )
            )
        found += character_findings(self._counts, self._mojibake)
        if self._duplicates:
            exact, near = self._duplicates["exact"], self._duplicates["near"]
            found.append(
                Finding(
                    "duplicates",
                    exact + near,
                    f"Copies of earlier documents: {exact:,} exact, {near:,} near.",
                    "Leave them out, or the model memorizes them and validation looks too good.",
                    {"deduplicate": True},
                    tuple(self._copies),
                )
            )
        found += self._line_findings()
        if self._personal:
            kinds = [kind for kind in PERSONAL_DATA if self._personal[kind]]
            counted = [count(self._personal[kind], *_NAMES[kind]) for kind in kinds]
            found.append(
                Finding(
                    "personal data",
                    self._personal.total(),
                    f"Likely personal data: {' and '.join(_joined(counted))}.",
                    "Replace them, or the model may generate them. Names cannot be found by a "
                    "pattern.",
                    {"redact": ",".join(kinds)},
                    tuple(f"{kind}: {text}" for kind, text in self._personal_examples.items()),
                )
            )
        return found

    def _line_findings(self) -> list[Finding]:
        found = []
        # A document that is a line is a document that repeats, which is said already.
        repeated = Counter({t: n for t, n in self._lines.items() if n >= _MIN_REPEATS})
        if repeated and len(self.lengths) < self._num_lines:
            found.append(
                Finding(
                    "repeated lines",
                    repeated.total(),
                    f"Long lines that occur {_MIN_REPEATS} times or more: {len(repeated):,}, "
                    f"{repeated.total():,} times in all.",
                    "Remove headers, menus and licenses, or the model will generate them often.",
                    examples=tuple(
                        f"{number:,} x {_one_line(text)}"
                        for text, number in repeated.most_common(_MAX_EXAMPLES)
                    ),
                )
            )
        if self._long_lines:
            found.append(
                Finding(
                    "long lines",
                    self._long_lines,
                    f"Lines of more than {_LONG_LINE:,} characters: {self._long_lines:,}; the "
                    f"longest has {self._longest_line:,}.",
                    "Check that they are text: data in one line, or lost line ends?",
                )
            )
        return found


def _predicted_bits(text: str) -> float | None:
    """Return what Kneser-Ney needs for the last tenth of a text, counting the rest."""
    cut = len(text) * 9 // 10
    if len(text) - cut < 100:
        return None
    model = KneserNey(text[:cut], Alphabet(text[:cut]))
    return bits(float(model.nats(text[cut:]).mean()))


def _joined(parts: list[str]) -> list[str]:
    return [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts


def _one_line(text: str) -> str:
    return " ".join(text[: 2 * _EXAMPLE_CHARACTERS].split())[:_EXAMPLE_CHARACTERS]


def _masked(text: str) -> str:
    """Return the first characters of personal data: a report is sent around."""
    kept = max(2, len(text) // 4)
    return text[:kept] + "*" * (len(text) - kept)
