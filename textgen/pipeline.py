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
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.catalog import Catalog
from textgen.config import RunConfig
from textgen.corpus import (
    Corpus,
    Meter,
    Source,
    describe,
    digest_sources,
    find_files,
    read_corpus,
)
from textgen.dataset import TokenStore
from textgen.errors import CheckpointError, ConfigError, TextgenError
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
# Of what made the tokens, besides the settings: other versions may clean otherwise.
_CLEANED_BY = f"textgen {__version__}, Unicode {unicodedata.unidata_version}"


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
    sources = find_files(paths, encoding=config.corpus.encoding)
    before = _run_to_reuse(catalog.model_folder(name) / "train", sources, config, reporter)
    if before is None:
        # A corpus that outgrows memory is kept where its tokens will need the room anyway.
        catalog.folder.mkdir(parents=True, exist_ok=True)
        corpus = read_corpus(sources, config.corpus, catalog.folder, reporter.bytes_done)
    else:
        reporter.phase("reusing")

    def open_run(chief: bool) -> _Run:
        if before is not None:
            return _begin_like(before, folder if chief else None)
        return _begin(folder if chief else None, corpus, config, reporter)

    return _train_and_export(
        catalog,
        name,
        config.training.strategy,
        open_run,
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
    if paths and not _began_with(run, paths, catalog.folder, reporter):
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


def _begin(folder: Path | None, corpus: Corpus, config: RunConfig, reporter: Reporter) -> _Run:
    """Write a new run's folder; a worker that is not the chief keeps it to itself."""
    if folder is None:
        scratch = tempfile.mkdtemp(prefix="textgen-worker-")
        # Only at the end of the process, because the tokens are memory-mapped from it.
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        folder = Path(scratch, "train")
    shutil.rmtree(folder, ignore_errors=True)
    with corpus:
        reporter.phase("learning")
        texts = corpus.train.texts(_counter(corpus.train.num_bytes, reporter))
        tokenizer = CharacterTokenizer.learn(texts, config.min_count)
        reporter.phase("encoding")
        count = _counter(corpus.train.num_bytes + corpus.validation.num_bytes, reporter)
        try:
            store = TokenStore.write(
                folder / "tokens",
                corpus.train.blocks(count),
                corpus.validation.blocks(count),
                tokenizer,
                corpus.has_documents,
            )
        except BaseException:
            _discard_run(folder)
            raise
    facts = {
        "description": corpus.description,
        "digest": corpus.digest,
        "source_digest": corpus.source_digest,
        "has_documents": corpus.has_documents,
        "num_documents": corpus.num_documents,
        "num_characters": corpus.num_characters,
        "validation_characters": corpus.validation.num_characters,
        "cleaned_by": _CLEANED_BY,
    }
    run = _Run(folder, config, facts, tokenizer, store)
    _write_settings(run)
    return run


def _write_settings(run: _Run) -> None:
    """Write what a run is besides its tokens."""
    run.tokenizer.save(run.folder / "tokenizer.json")
    # Written last: a run whose config.json is there is complete.
    settings = {"run": run.config.to_dict(), "corpus": run.corpus}
    write_atomically(run.folder / "config.json", json.dumps(settings, indent=2).encode())


def _counter(total: int, reporter: Reporter) -> Callable[[int], None]:
    """Return a function that is told newly finished bytes and tells how many are done."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        reporter.bytes_done(done, total)

    return add


def _run_to_reuse(
    folder: Path, sources: Sequence[Source], config: RunConfig, reporter: Reporter
) -> _Run | None:
    """Return the run in `folder` with a new config, if its tokens are what they would be now."""
    try:
        before = _reopen(folder, {})
    except TextgenError:
        return None  # There is none, or none that could be relied on.
    # Whatever is neither of the model nor of its training has a part in the tokens.
    of_tokens = dataclasses.replace(
        config, model=before.config.model, training=before.config.training
    )
    if of_tokens != before.config or before.corpus.get("cleaned_by") != _CLEANED_BY:
        return None
    if not _has_same_sources(before, sources, reporter):
        return None
    facts = {**before.corpus, "description": describe(sources)}
    return dataclasses.replace(before, config=config, corpus=facts)


def _has_same_sources(run: _Run, sources: Sequence[Source], reporter: Reporter) -> bool:
    meter = Meter((source.num_bytes for source in sources), reporter.bytes_done)
    digest = digest_sources(sources, meter)
    return digest is not None and digest == run.corpus.get("source_digest")


def _began_with(
    run: _Run, paths: Sequence[str | os.PathLike[str]], folder: Path, reporter: Reporter
) -> bool:
    """Whether `paths` are the corpus of a run; they may be compressed or encoded otherwise."""
    sources = find_files(paths, encoding=run.config.corpus.encoding)
    if _has_same_sources(run, sources, reporter):
        return True
    with read_corpus(sources, run.config.corpus, folder, reporter.bytes_done) as corpus:
        return corpus.digest == run.corpus["digest"]


def _begin_like(run: _Run, folder: Path | None) -> _Run:
    """Write a new run's folder with the tokens of a run before; a worker writes nothing."""
    if folder is None:
        return run
    shutil.rmtree(folder, ignore_errors=True)
    # The same files under a second name: nobody ever writes to them again.
    shutil.copytree(run.folder / "tokens", folder / "tokens", copy_function=_link_or_copy)
    new = dataclasses.replace(run, folder=folder, store=TokenStore(folder / "tokens"))
    _write_settings(new)
    return new


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # Not every file system has hard links.
        shutil.copyfile(source, target)


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
