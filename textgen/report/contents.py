"""What a report says about a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from textgen.arrays import read_archive
from textgen.catalog import Catalog
from textgen.errors import CorpusError, ModelDamagedError
from textgen.evaluation import Evaluation, evaluate, own_run, read_evaluations, spell
from textgen.inference import Score, TextGenerator
from textgen.originality import RunIndex, Trace, trace
from textgen.report.attention import Attention, read_attention
from textgen.report.charts import label
from textgen.report.run_history import read_history, read_samples
from textgen.run import Run, exported_version

TEMPERATURES = (0.5, 0.8, 1.0)
_SAMPLE_TOKENS = 200
_SEED = 7
# Steps of the training whose samples are shown.
_NUM_STEPS = 5
# Enough to find surprising passages in, and scored in a few seconds.
_SCORED_CHARACTERS = 20_000
_EVALUATED_CHARACTERS = 100_000
_PASSAGE_TOKENS, _NUM_PASSAGES = 80, 4
# A map of more tokens is a cloud.
_MAX_POINTS = 160
# Settings that a plan chooses, so their defaults say nothing.
_SHAPE = {"num_layers", "hidden_dim", "context_length", "dropout", "max_steps", "batch_size"}


@dataclass(frozen=True)
class Sample:
    """A text that the model generated.

    Attributes:
        temperature: How freely it was sampled.
        text: The text.
        code: The Python call that generates it again.
        copies: What of the text stands in the corpus; `None` if the corpus is gone.
    """

    temperature: float
    text: str
    code: str
    copies: Trace | None


@dataclass(frozen=True)
class Passage:
    """A passage of text with the surprise of each token.

    Attributes:
        title: Why it is shown.
        tokens: Pairs of a token's text and its cost in bits.
    """

    title: str
    tokens: tuple[tuple[str, float], ...]

    @property
    def bits_per_token(self) -> float:
        """The mean cost."""
        return sum(bits for _, bits in self.tokens) / max(len(self.tokens), 1)


@dataclass(frozen=True)
class Contents:
    """What a report says.

    Attributes:
        name: The model's name.
        version: Its version.
        card: The model card as JSON values.
        history: One entry per validation, as training recorded it.
        samples: Texts at several temperatures.
        growth: Steps of the training, and what the model wrote then.
        evaluation: The model on the text that it was not trained on; `None` without such a text.
        passages: A typical passage, and the most surprising ones.
        attention: Where the model's heads look; `None` if it has none.
        embedding: Tokens with their place on a map of two dimensions.
        recipe: How to train the model again.
        notes: What could not be shown, and why.
    """

    name: str
    version: int | None
    card: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    samples: tuple[Sample, ...]
    growth: tuple[tuple[int, str], ...]
    evaluation: Evaluation | None
    passages: tuple[Passage, ...]
    attention: Attention | None
    embedding: tuple[tuple[str, float, float], ...]
    recipe: tuple[str, ...]
    notes: tuple[str, ...]


def collect(
    name: str | None,
    models_dir: str | os.PathLike[str] | None = None,
    prompt: str = "",
    on_progress: Callable[[str], None] = lambda what: None,
) -> Contents:
    """Collect what a report says about a model.

    Args:
        name: The model's name or path; `None` is the newest.
        models_dir: The models folder.
        prompt: What the samples continue.
        on_progress: Called with what is done next.

    Raises:
        ModelNotFoundError: If there is no such model.
        GenerationError: If the model's weights are not numbers.
    """
    entry = Catalog(models_dir).find(name)
    notes: list[str] = []
    run = own_run(entry)
    if run is None:
        notes.append(
            "The training run is not in the model's folder, or is of another corpus, so there are "
            "no curves, no measurement and no map."
        )
    elif exported_version(run.folder) != entry.path.name:
        notes.append("The curves and the map are those of a newer run on the same corpus.")
    on_progress("sampling")
    with TextGenerator(entry) as model:
        samples = _samples(model, prompt, run)
        on_progress("measuring")
        evaluation: Evaluation | None = None
        passages: tuple[Passage, ...] = ()
        try:
            evaluation = evaluate(
                [name], models_dir=models_dir, max_characters=_EVALUATED_CHARACTERS
            )
        except (CorpusError, ModelDamagedError) as error:
            notes.append(str(error))
        if run is not None and run.store.validation.size:
            passages = _passages(model, run)
    attention = None
    if run is not None:
        on_progress("watching its attention")
        try:
            attention = read_attention(entry, run)
        except ModelDamagedError as error:
            notes.append(str(error))
    saved = read_evaluations(entry)
    if saved:
        notes.append(f"{len(saved):,} evaluations are saved next to the model.")
    return Contents(
        entry.name,
        entry.version,
        entry.card.to_dict(),
        tuple(read_history(run.folder)) if run else (),
        samples,
        tuple(read_samples(run.folder, _NUM_STEPS)) if run else (),
        evaluation,
        passages,
        attention,
        _embedding(run) if run else (),
        _recipe(entry.name, run),
        tuple(notes),
    )


def _samples(model: TextGenerator, prompt: str, run: Run | None) -> tuple[Sample, ...]:
    try:
        index = RunIndex(run).open() if run else None
    except (CorpusError, OSError):  # too large, or no room to keep an index
        index = None
    samples = []
    for temperature in TEMPERATURES:
        settings: dict[str, Any] = {
            "temperature": temperature,
            "max_new_tokens": _SAMPLE_TOKENS,
            "seed": _SEED,
        }
        if model.make_prompts.labels:
            settings["label"] = model.make_prompts.labels[0]
        text = model.generate(prompt, **settings)
        code = f"model.generate({prompt!r}, {_arguments(settings)})"
        whole = prompt + text.text
        samples.append(Sample(temperature, whole, code, trace(index, whole) if index else None))
    return tuple(samples)


def _passages(model: TextGenerator, run: Run) -> tuple[Passage, ...]:
    """Return a typical passage of the validation part, and the most surprising ones."""
    text = run.tokenizer.decode(run.store.validation[:_SCORED_CHARACTERS])[:_SCORED_CHARACTERS]
    score = model.score(text)
    bits = -score.token_logprobs.astype(float) / np.log(2)
    count = len(bits) // _PASSAGE_TOKENS
    if not count:
        return (_passage("The whole validation part", score, bits, 0, len(bits)),)
    means = bits[: count * _PASSAGE_TOKENS].reshape(count, -1).mean(axis=1)
    order = np.argsort(means)
    chosen = {int(order[count // 2]): "A typical passage"}
    for index in order[::-1][: _NUM_PASSAGES - 1].tolist():
        chosen.setdefault(index, "Among the most surprising")
    return tuple(
        _passage(title, score, bits, index * _PASSAGE_TOKENS, (index + 1) * _PASSAGE_TOKENS)
        for index, title in chosen.items()
    )


def _passage(title: str, score: Score, bits: np.ndarray, start: int, stop: int) -> Passage:
    pieces = spell([score.tokenizer.pieces[i] for i in score.token_ids[start:stop].tolist()])
    return Passage(title, tuple(zip(pieces, bits[start:stop].tolist(), strict=True)))


def _embedding(run: Run) -> tuple[tuple[str, float, float], ...]:
    """Return the most frequent tokens, placed by the main components of their embeddings."""
    table = _embedding_table(run)
    if table is None:
        return ()
    counts = np.bincount(run.store.train[:10_000_000], minlength=len(table))
    special = list(run.tokenizer.special)
    counts[special] = 0
    kept = np.argsort(-counts, kind="stable")[:_MAX_POINTS]
    kept = kept[counts[kept] > 0]
    centered = table[kept] - table[kept].mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    places = centered @ directions[:2].T
    return tuple(
        (label(run.tokenizer.pieces[i]), float(x), float(y))
        for i, (x, y) in zip(kept, places, strict=True)
    )


def _embedding_table(run: Run) -> np.ndarray | None:
    """Return float32[V, D], the first weights of the best checkpoint with a row per token."""
    try:
        arrays = read_archive(run.folder.checkpoints / "best.npz")
    except (OSError, ValueError):
        return None
    tables = (array for array in arrays.values() if array.ndim == 2)
    for table in tables:
        if len(table) == run.tokenizer.vocab_size:
            return table.astype(np.float32) if np.isfinite(table).all() else None
    return None


def _recipe(name: str, run: Run | None) -> tuple[str, ...]:
    """Return the Python call that trains the model again, and what it must be called with."""
    if run is None:
        return ()
    defaults = type(run.config)().to_settings()
    given = {
        key: value
        for key, value in run.config.to_settings().items()
        if value is not None and (key in _SHAPE or value != defaults.get(key))
    }
    corpus = run.corpus
    return (
        f"textgen.train([{corpus.description!r}], {name!r}, {_arguments(given)})",
        f"SHA-256 of the cleaned corpus: {corpus.digest}",
    )


def _arguments(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in settings.items())
