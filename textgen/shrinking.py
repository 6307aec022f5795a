"""From an exported model to a smaller one that is nearly as good."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.card import current_versions, now
from textgen.card_parts import StorageSummary
from textgen.catalog import Catalog, ModelEntry, check_name
from textgen.config import SamplingConfig
from textgen.errors import ConfigError
from textgen.models.precision import PRECISIONS
from textgen.runtime.banner import hidden_banner

if TYPE_CHECKING:
    from textgen.run import Run

MAX_LOSS = 0.02
_PROMPT = "Once upon a time"
_NUM_TOKENS, _REPEATS = 64, 3


@dataclass(frozen=True)
class Figures:
    """What a model costs, and how good it is.

    Attributes:
        num_bytes: Size of its files.
        bits_per_character: Its loss on the text.
        tokens_per_second: How fast it generates one text.
    """

    num_bytes: int
    bits_per_character: float
    tokens_per_second: float


@dataclass(frozen=True)
class Shrunk:
    """A model whose weights take less space.

    Attributes:
        path: The SavedModel's folder.
        text: What both were measured on, in a few words.
        num_characters: How long that text is.
        before: The figures of the model itself.
        after: Those of the smaller one.

    Example:
        >>> shrunk = textgen.shrink("shakespeare", "bfloat16", ["corpus.txt"])
        >>> shrunk.after.num_bytes < shrunk.before.num_bytes
        True
    """

    path: Path
    text: str
    num_characters: int
    before: Figures
    after: Figures


def shrink(
    name_or_path: str | os.PathLike[str] | None = None,
    precision: str | None = None,
    texts: Sequence[str] = (),
    models_dir: str | os.PathLike[str] | None = None,
    *,
    prune: float = 0.0,
    name: str | None = None,
    max_loss: float = MAX_LOSS,
    report: Callable[[str], None] = lambda phase: None,
) -> Shrunk:
    """Store a model's weights in less space, as a model of its own, if that loses little.

    Args:
        name_or_path: Model name or folder. Defaults to the newest model.
        precision: `"int8"`, `"bfloat16"` or `"float16"`, for all matrices. If `None`, the weights
            stay float32.
        texts: Files, folders or globs to measure the loss on. Defaults to the part of the
            model's corpus that it was not trained on.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        prune: Fraction of the weights of each matrix, the smallest ones, that become zero.
        name: The name of the smaller model. Defaults to that of the model and what is done,
            such as `mine-int8` or `mine-pruned-int8`.
        max_loss: The most bits per character that it may lose.
        report: Called with what begins: `"writing"`, then `"measuring"`.

    Returns:
        The smaller model, and what it and the model cost.

    Raises:
        ConfigError: If a setting is out of range, there is no text to measure the loss on, the
            model's weights are not float32, or the smaller model loses more; no version appears.
        CorpusError: If there is no text.
        ModelDamagedError: If the weights cannot be read.
        ModelNotFoundError: If there is no such model.
        OSError: If the version cannot be written.

    Example:
        >>> textgen.shrink("shakespeare", "int8", ["corpus.txt"]).path
        PosixPath('saved_models/shakespeare-int8/1')
    """
    if precision not in (None, *PRECISIONS):
        raise ConfigError(
            f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}"
        )
    if not 0 <= prune < 1:
        raise ConfigError(f"prune must be at least 0 and less than 1. Received: {prune}")
    if precision is None and not prune:
        raise ConfigError("A smaller model needs precision, prune or both. Received: neither")
    if not 0 <= max_loss < float("inf"):
        raise ConfigError(f"max_loss must be 0 or more. Received: {max_loss}")
    catalog = Catalog(models_dir)
    entry = catalog.find(name_or_path)
    from textgen.inference.copying import measure_copies
    from textgen.inference.own_run import own_run

    run = own_run(entry)
    if not texts:
        _check_own_text(entry, run)
    changes = ("pruned" if prune else None, precision)
    name = check_name(name or "-".join([entry.name, *filter(None, changes)]))
    measured: list[tuple[str, int, list[Figures]]] = []

    def write(folder: Path) -> None:
        with hidden_banner():
            from textgen.export import write_card, write_narrow
        report("writing")
        write_narrow(entry.path, folder, precision, prune)
        storage = StorageSummary(precision=precision or "float32", pruned=prune or None)
        card = dataclasses.replace(
            entry.card,
            name=name,
            storage=storage,
            created=now(),
            versions=current_versions(),
        )
        write_card(folder, card)
        report("measuring")
        measured.append(_measure(entry, folder, texts, models_dir))
        before, after = (each.bits_per_character for each in measured[0][2])
        if after - before > max_loss:
            raise ConfigError(
                f"{name} may lose {max_loss} bits per character at most on {measured[0][0]}. "
                f"Received: {after - before:.3f} more, {after:.3f} instead of {before:.3f}"
            )
        storage = dataclasses.replace(
            storage,
            bits_per_character=after,
            original_bits_per_character=before,
            text=measured[0][0],
        )
        # Other weights write other texts.
        copies = card.copies if run is None else measure_copies(folder, run)
        write_card(folder, dataclasses.replace(card, storage=storage, copies=copies))

    path = catalog.add_version(name, write)
    text, num_characters, (before, after) = measured[0]
    from textgen.serving.tf_serving import write_configuration

    write_configuration(path.parent, name)
    return Shrunk(path, text, num_characters, before, after)


def _check_own_text(entry: ModelEntry, run: Run | None) -> None:
    """Refuse early what could not be measured after all weights were written."""
    store = None if run is None else run.store
    if store is None or not (store.validation if store.test is None else store.test).size:
        raise ConfigError(
            f"texts must name a file to measure the loss on, because {entry.name} has no "
            "validation part in its folder. Received: none"
        )


def _measure(
    entry: ModelEntry,
    folder: Path,
    texts: Sequence[str],
    models_dir: str | os.PathLike[str] | None,
) -> tuple[str, int, list[Figures]]:
    from textgen.evaluation import evaluate

    names = [os.fspath(entry.path.absolute()), os.fspath(folder.absolute())]
    found = evaluate(names, texts, models_dir, baselines=False)
    figures = [
        Figures(
            ModelEntry(entry.name, None, Path(path)).num_bytes,
            model.figures["bits_per_character"].value,
            _tokens_per_second(Path(path)),
        )
        for path, model in zip(names, found.models, strict=True)
    ]
    return found.text, found.num_characters, figures


def _tokens_per_second(path: Path) -> float:
    """Return how fast a model generates one text, the best of a few times."""
    from textgen.inference import load

    with load(path) as model:
        config = SamplingConfig(
            max_new_tokens=_NUM_TOKENS, min_new_tokens=_NUM_TOKENS, temperature=0.0
        )
        model.generate(_PROMPT, max_new_tokens=1)
        seconds = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            model.generate(_PROMPT, config)
            seconds.append(time.perf_counter() - started)
    return _NUM_TOKENS / min(seconds)
