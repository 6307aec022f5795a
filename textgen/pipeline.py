"""From a corpus to a SavedModel: reading, training, exporting, in this order."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.catalog import Catalog
from textgen.config import RunConfig
from textgen.corpus import Corpus, read_corpus
from textgen.dataset import TokenStore
from textgen.errors import CheckpointError, ConfigError
from textgen.files import write_atomically
from textgen.tokenizer import CharacterTokenizer, Tokenizer, load_tokenizer
from textgen.training.reporter import Reporter
from textgen.version import __version__

if TYPE_CHECKING:
    from textgen.generation import Generator
    from textgen.training.loop import Outcome

# Of a run that goes on, these may differ from what it began with.
RESUMABLE = frozenset({"max_steps", "patience", "validate_every", "strategy"})
_SAMPLE_TOKENS = 120


@dataclass(frozen=True)
class Trained:
    """What a training run left.

    Attributes:
        name: of the model.
        path: the SavedModel, or `None` in a worker that is not the chief.
        outcome: how training ended.
    """

    name: str
    path: Path | None
    outcome: Outcome


@dataclass(frozen=True)
class _Run:
    """A run's folder: its settings, tokenizer and tokens."""

    folder: Path
    config: RunConfig
    corpus: dict[str, Any]
    tokenizer: Tokenizer
    store: TokenStore

    @property
    def has_documents(self) -> bool:
        return self.corpus["has_documents"]

    @property
    def tokens_per_character(self) -> float:
        return self.store.validation.size / self.corpus["validation_characters"]


def train(
    paths: Sequence[str | os.PathLike[str]],
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    tensorboard: bool = False,
    reporter: Reporter | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train a model on a corpus and export it as the next version of `name`.

    Args:
        paths: files, folders, globs, or `-` for standard input.
        name: of the model, a plain folder name.
        config: what to train and how.
        models_dir: the models folder; TEXTGEN_MODELS or ./saved_models where `None`.
        tensorboard: also write TensorBoard's event files.
        reporter: is told what happens.
        should_stop: asked between calls into TensorFlow; the best model so far is
            exported all the same.

    Raises:
        TextgenError: see `textgen.errors`; versions exported earlier are untouched.
        OSError: a folder cannot be written.
    """
    reporter = reporter or Reporter()
    config = config or RunConfig()
    catalog = Catalog(models_dir)
    # Takes the place of the run before only when nothing can go wrong any more at its start.
    folder = catalog.model_folder(name) / "train.new"
    reporter.phase("reading")
    corpus = read_corpus(paths, config.corpus)
    return _train_and_export(
        catalog,
        name,
        config.training.strategy,
        lambda chief: _begin(folder if chief else None, corpus, config),
        resumed=False,
        tensorboard=tensorboard,
        reporter=reporter,
        should_stop=should_stop,
    )


def resume(
    name: str,
    changes: dict[str, Any],
    paths: Sequence[str | os.PathLike[str]] = (),
    models_dir: str | os.PathLike[str] | None = None,
    *,
    tensorboard: bool = False,
    reporter: Reporter | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Go on with the newest run of `name`, from its last checkpoint.

    Args:
        name: of the model.
        changes: training settings asked for now, by name; only those of `RESUMABLE` may
            differ from what the run began with.
        paths: where given, the corpus is read again and must be the same.
        models_dir: the models folder.
        tensorboard: also write TensorBoard's event files.
        reporter: is told what happens.
        should_stop: asked between calls into TensorFlow.

    Raises:
        CheckpointError: there is no run to go on with, or the corpus is another.
        ConfigError: a setting differs that must not.
        TextgenError: see `textgen.errors`.
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    reporter.phase("reading")
    run = _reopen(catalog.model_folder(name) / "train", changes)
    if paths and read_corpus(paths, run.config.corpus).digest != run.corpus["digest"]:
        raise CheckpointError(
            f"The corpus is not the one the run of {name!r} began with. "
            "Leave out --resume to train on it anew."
        )
    return _train_and_export(
        catalog,
        name,
        run.config.training.strategy,
        lambda chief: run,
        resumed=True,
        tensorboard=tensorboard,
        reporter=reporter,
        should_stop=should_stop,
    )


def _begin(folder: Path | None, corpus: Corpus, config: RunConfig) -> _Run:
    """Write a new run's folder; a worker that is not the chief keeps it to itself."""
    tokenizer = CharacterTokenizer.learn(corpus.train, config.min_count)
    if folder is None:
        scratch = tempfile.mkdtemp(prefix="textgen-worker-")
        # Only at the end of the process, because the tokens are memory-mapped from it.
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        folder = Path(scratch, "train")
    shutil.rmtree(folder, ignore_errors=True)
    store = TokenStore.write(
        folder / "tokens", corpus.train, corpus.validation, tokenizer, corpus.has_documents
    )
    facts = {
        "description": corpus.description,
        "digest": corpus.digest,
        "has_documents": corpus.has_documents,
        "num_documents": len(corpus.train) + len(corpus.validation),
        "num_characters": corpus.num_characters,
        "validation_characters": sum(map(len, corpus.validation)),
    }
    tokenizer.save(folder / "tokenizer.json")
    # Written last: a run whose config.json is there is complete.
    settings = {"run": config.to_dict(), "corpus": facts}
    write_atomically(folder / "config.json", json.dumps(settings, indent=2).encode())
    return _Run(folder, config, facts, tokenizer, store)


def _replace_run(folder: Path, new: Path) -> None:
    """Put a new run in the place of the one before, which may hold hours of work: keep it."""
    if folder.exists():
        previous = folder.with_name("train.previous")
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    new.rename(folder)


def _discard_run(new: Path) -> None:
    """Leave no trace of a run that could not start."""
    shutil.rmtree(new, ignore_errors=True)
    with contextlib.suppress(OSError):
        new.parent.rmdir()  # only where it is empty: the name was a new one


def _reopen(folder: Path, changes: dict[str, Any]) -> _Run:
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = RunConfig.from_dict(settings["run"])
        corpus = settings["corpus"]
    except FileNotFoundError:
        raise CheckpointError(f"There is no run to resume in {folder}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder}: config.json is damaged ({error}).") from error
    began = _flat(config)
    for name, value in changes.items():
        if value != began[name] and name not in RESUMABLE:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{flag} cannot change in a run that is resumed; it began with {began[name]!r}. "
                f"Received: {value!r}"
            )
    training = {name: value for name, value in changes.items() if name in RESUMABLE}
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **training))
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return _Run(folder, config, corpus, tokenizer, TokenStore(folder / "tokens"))


def _flat(config: RunConfig) -> dict[str, Any]:
    """All settings of a run by their own names, which no two parts share."""
    values = config.to_dict()
    parts = [values.pop(name) for name in ("corpus", "model", "training")]
    return {key: value for part in (*parts, values) for key, value in part.items()}


def _train_and_export(
    catalog: Catalog,
    name: str,
    strategy_name: str,
    open_run: Callable[[bool], _Run],
    *,
    resumed: bool,
    tensorboard: bool,
    reporter: Reporter,
    should_stop: Callable[[], bool],
) -> Trained:
    """Train the run that `open_run(is_chief)` gives and publish the result."""
    # Imported here: whoever mistyped a file name should not wait for TensorFlow.
    from textgen.training.checkpoints import Checkpoints
    from textgen.training.distribution import build_strategy, is_chief
    from textgen.training.history import History
    from textgen.training.loop import Trainer

    # First of all: a multi-worker strategy must exist before any TensorFlow op runs.
    strategy = build_strategy(strategy_name)
    run = open_run(is_chief(strategy))
    folder = catalog.model_folder(name) / "train"
    try:
        trainer = Trainer(
            run.config.model,
            run.config.training,
            run.tokenizer.vocab_size,
            run.store.train,
            run.store.validation,
            Checkpoints(folder / "checkpoints"),
            History(folder / "history.jsonl", folder / "tensorboard" if tensorboard else None),
            strategy,
            tokens_per_character=run.tokens_per_character,
            reporter=reporter,
        )
    except BaseException:
        if not resumed:
            _discard_run(run.folder)
        raise
    if trainer.is_chief and not resumed:
        _replace_run(folder, run.folder)
    outcome = trainer.fit(resumed, should_stop, _Sampler(run))
    if not outcome.is_chief:
        return Trained(name, None, outcome)
    reporter.phase("exporting")
    return Trained(name, _export(catalog, name, run, outcome), outcome)


class _Sampler:
    """Shows what the model writes while it learns: the same seed every time.

    The decode graph is made once; later samples only bring newer weights into it.
    """

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._generator: Generator | None = None
        self._graph: Any = None

    def __call__(self, model: Any) -> str:
        import tensorflow as tf

        from textgen.sampling import SamplingControls

        if self._generator is None:
            self._generator = _generator(self._run, model)
            self._graph = tf.function(self._generator.generate)
        else:
            self._generator.decoder.assign(model.decoder_weights())
        controls = SamplingControls(
            temperature=tf.constant([0.8]),
            top_k=tf.constant([0]),
            top_p=tf.constant([1.0]),
            seed=tf.constant([0], tf.int64),
        )
        generated = self._graph(
            tf.constant([""]), tf.constant([_SAMPLE_TOKENS]), controls, tf.zeros([1, 0], tf.string)
        )
        return generated.text_bytes.numpy()[0].decode("utf-8", errors="replace")


def _generator(run: _Run, model: Any) -> Generator:
    from textgen.generation import Generator

    boundary = run.tokenizer.boundary(run.has_documents)
    return Generator(model.decoder(), run.tokenizer.in_graph(), boundary, run.has_documents)


def _export(catalog: Catalog, name: str, run: _Run, outcome: Outcome) -> Path:
    from textgen.export import write_saved_model
    from textgen.training.optimizers import choose_optimizer

    optimizer = choose_optimizer(run.config.training, run.config.model.architecture)
    card = _card(name, run, outcome, optimizer)
    with catalog.new_version(name) as (scratch, path):
        write_saved_model(scratch, _generator(run, outcome.model), run.tokenizer, card)
    return path


def _card(name: str, run: _Run, outcome: Outcome, optimizer: str) -> dict[str, Any]:
    """The model card: what the model is, what it learned from, how good it is."""
    bits = outcome.validation_loss / math.log(2) * run.tokens_per_character
    return {
        "name": name,
        "model": run.config.model.to_dict(),
        "num_parameters": int(sum(np.prod(v.shape) for v in outcome.model.trainable_variables)),
        "tokenizer": {"kind": run.tokenizer.kind, "vocab_size": run.tokenizer.vocab_size},
        "corpus": {**run.corpus, "config": run.config.corpus.to_dict()},
        "training": {
            **run.config.training.to_dict(),
            "optimizer": optimizer,
            "ended_by": outcome.ended_by,
        },
        "steps": outcome.step,
        "best_step": outcome.best_step,
        "validation_loss": outcome.validation_loss,
        "perplexity": math.exp(outcome.validation_loss),
        "bits_per_character": bits,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "textgen": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("tensorflow", "keras", "keras-nlp")},
        },
    }
