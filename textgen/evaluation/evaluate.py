"""Measures models on the same text, next to what gives their numbers a meaning."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from textgen.catalog import Catalog, ModelEntry
from textgen.errors import ConfigError, CorpusError
from textgen.evaluation.baselines import Baseline, measure_baselines
from textgen.evaluation.comparison import Comparison, compare
from textgen.evaluation.measure import Measurement, measure
from textgen.evaluation.texts import (
    EvaluatedText,
    Part,
    corpus_config,
    read_files,
    read_part,
    share_prompts,
    training_text,
    with_reading,
)
from textgen.evaluation.units import Units
from textgen.inference import TextGenerator
from textgen.inference.own_run import own_run
from textgen.run import Run

MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """Models measured on the same text.

    Attributes:
        text: What the text is, in a few words.
        num_characters: Its length.
        num_units: Number of documents or blocks that the intervals are made from.
        unit_kind: `"documents"` or `"blocks"`.
        models: One entry per model, in the order given.
        baselines: What simple models and compressors need, the worst first.
        comparisons: Each pair of models; a single model and the best simple model.
        notes: What a reader must know to trust the numbers, one sentence each.
    """

    text: str
    num_characters: int
    num_units: int
    unit_kind: str
    models: tuple[Measurement, ...]
    baselines: tuple[Baseline, ...]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "text": self.text,
            "num_characters": self.num_characters,
            "intervals": {"level": 0.95, "over": self.unit_kind, "num": self.num_units},
            "models": [
                {
                    "name": model.name,
                    "version": model.version,
                    "protocol": "full",
                    **{name: figure.to_dict() for name, figure in model.figures.items()},
                    "losses": {name: figure.to_dict() for name, figure in model.losses.items()},
                    "num_tokens": model.num_tokens,
                    "num_unknown_characters": model.num_unknown,
                    "bits_per_unknown_character": model.unknown_bits,
                    "memory_bytes": model.memory_bytes,
                }
                for model in self.models
            ],
            "baselines": [
                {"name": each.name, "bits_per_character": each.bits_per_character.to_dict()}
                for each in self.baselines
            ],
            "comparisons": [
                {
                    "better": each.better,
                    "worse": each.worse,
                    "bits_per_character": each.difference.to_dict(),
                    "verdict": each.verdict,
                }
                for each in self.comparisons
            ],
            "notes": list(self.notes),
        }


def evaluate(
    names: Sequence[str | None],
    paths: Sequence[str] = (),
    models_dir: str | os.PathLike[str] | None = None,
    *,
    part: Part = "auto",
    max_characters: int | None = MAX_CHARACTERS,
    baselines: bool = True,
    encoding: str | None = None,
    text_column: str | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Evaluation:
    """Measure models on the same text.

    Args:
        names: Names or paths of models; `None` is the newest.
        paths: Files, folders or globs. Defaults to the part of the first model's corpus that it
            was not trained on.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        part: `validation`, `test`, or `auto`: the test part if there is one.
        max_characters: Where to cut a longer text; `None` for all of it.
        baselines: Whether to compare with simple models and compressors.
        encoding: Text encoding of the files. Defaults to that of the corpus.
        text_column: Column or key of the text in tables. Defaults to that of the corpus.
        on_progress: Called with what is measured, and the tokens done and in all.

    Raises:
        ConfigError: If a setting is out of range.
        CorpusError: If there is no text, or the corpus of the first model is not there.
        ModelNotFoundError: If there is no such model.

    Example:
        >>> evaluate(["mine"]).models[0].figures["bits_per_character"].value < 8
        True
    """
    if max_characters is not None and max_characters < 1:
        raise ConfigError(f"max_characters must be at least 1. Received: {max_characters}")
    catalog = Catalog(models_dir)
    entries = [catalog.find(name) for name in names]
    if not paths and not share_prompts(entries):
        raise ConfigError(
            "Models that answer prompts are compared on files, unless they have the same template "
            f"and tokenizer: name a file. Received: {', '.join(entry.name for entry in entries)}"
        )
    run = own_run(entries[0])
    texts = [
        _text(entry, entries[0], run, paths, part, max_characters, (encoding, text_column))
        for entry in entries
    ]
    text = texts[0]
    units = Units(text.documents)
    notes = _notes(text, entries, texts, run is not None and not paths)
    measured: list[Measurement] = []
    for entry, own in zip(entries, texts, strict=True):
        with TextGenerator(entry, num_threads=1) as model:  # for each of several calls
            own_units = units if own.documents == text.documents else Units(own.documents)
            tokens = own.tokens if entry.path == entries[0].path else None
            on_tokens = partial(on_progress, entry.name)
            measured.append(
                measure(model, own.documents, own_units, tokens, own.prompts, on_tokens)
            )
    simple: list[Baseline] = []
    if baselines and run is not None:
        on_progress("baselines", 0, 1)
        simple = measure_baselines(text.documents, training_text(run), units)
        on_progress("baselines", 1, 1)
    elif baselines:
        notes.append("There is no training part to learn simple models from.")
    notes += [
        f"{each.name} cannot write {each.num_unknown:,} of the characters: each costs "
        f"{each.unknown_bits:.1f} bits more than the unknown token."
        for each in measured
        if each.num_unknown
    ]
    comparable = [
        m for m, own in zip(measured, texts, strict=True) if own.documents == text.documents
    ]
    return Evaluation(
        text.name,
        text.num_characters,
        len(units),
        units.kind,
        tuple(measured),
        tuple(simple),
        tuple(compare(comparable, simple, units)),
        tuple(notes),
    )


def _text(
    entry: ModelEntry,
    first: ModelEntry,
    run: Run | None,
    paths: Sequence[str],
    part: Part,
    max_characters: int | None,
    reading: tuple[str | None, str | None],
) -> EvaluatedText:
    """Return what a model is measured on: files, or the first model's own part."""
    if paths:
        config = with_reading(corpus_config(entry), *reading)
        return read_files(paths, entry, config, max_characters)
    if run is None:
        raise CorpusError(
            f"The corpus that {first.name} was trained on is not in its folder, or has changed "
            "since: name a file to evaluate it on."
        )
    text = read_part(first, run, part, max_characters)
    config = corpus_config(entry)
    if config == corpus_config(first) or not config.cleans:
        return text
    from textgen.corpus import clean

    documents = [cleaned for each in text.documents if (cleaned := clean(each, config))]
    return EvaluatedText(text.name, documents, text.is_cut)


def _notes(
    text: EvaluatedText,
    entries: Sequence[ModelEntry],
    texts: Sequence[EvaluatedText],
    is_own_part: bool,
) -> list[str]:
    notes = []
    if text.prompts is not None:
        notes.append("Only answers count. Simple models and compressors do not see the prompts.")
    if text.is_cut:
        notes.append(f"The text is longer: its first {text.num_characters:,} characters count.")
    for entry, own in zip(entries[1:], texts[1:], strict=True):
        if own.documents != text.documents:
            notes.append(
                f"{entry.name} cleans texts otherwise than {entries[0].name}, so the two are not "
                "compared."
            )
        first, other = entries[0].card.corpus, entry.card.corpus
        if is_own_part and (first is None or other is None or first.digest != other.digest):
            notes.append(f"{entry.name} was trained on another corpus, which may hold this text.")
    return notes
