"""From a corpus to a SavedModel: reading, training, exporting, in this order."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textgen.card import make_card
from textgen.catalog import Catalog
from textgen.config import RunConfig
from textgen.dataset import MAX_VALIDATION_TARGETS
from textgen.errors import CheckpointError, ConfigError
from textgen.planning import (
    COMPRESSED_CHARACTERS,
    CorpusSize,
    Plan,
    Planning,
    compressed_bits,
    make_plan,
    measure_machine,
)
from textgen.run import (
    Run,
    began_with,
    discard_run,
    exported_step,
    note_export,
    prepare_run,
    reopen_run,
    replace_run,
    replan,
)
from textgen.training.reporter import Reporter

if TYPE_CHECKING:
    from textgen.training.loop import Outcome


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


def train(
    paths: Sequence[str | os.PathLike[str]],
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    planning: Planning | None = None,
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
        planning: where given, size and length of the run are planned for this machine and
            corpus, and training stops when its time is over. The plan takes the place of the
            config, also for `resume`, which goes on with it.
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
    if planning is not None:
        _check_plannable(config)
    catalog = Catalog(models_dir)
    return _train_and_export(
        catalog,
        name,
        config.training.strategy,
        prepare_run(paths, catalog.model_folder(name), config, reporter),
        resumed=False,
        planning=planning,
        tensorboard=tensorboard,
        reporter=reporter,
        should_stop=should_stop,
    )


def plan(
    paths: Sequence[str | os.PathLike[str]],
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    planning: Planning | None = None,
    reporter: Reporter | None = None,
) -> Plan:
    """Return the plan that `train` would make now; begin no run.

    Args:
        paths: files, folders, globs, or `-` for standard input.
        name: of the model, whose run before may hold the corpus's tokens.
        config: settings that the plan keeps where `planning` says so.
        models_dir: the models folder.
        planning: what to keep and how long the run may take.
        reporter: is told what happens.

    Raises:
        ConfigError: the run is to be one of several workers.
        TextgenError: see `textgen.errors`.
    """
    from textgen.training.distribution import build_strategy

    reporter = reporter or Reporter()
    config = config or RunConfig()
    _check_plannable(config)
    strategy = build_strategy(config.training.strategy)
    # Not as the chief, who would write a folder.
    run = prepare_run(paths, Catalog(models_dir).model_folder(name), config, reporter)(False)
    return _make_plan(run, planning or Planning(), strategy.num_replicas_in_sync)


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

    A run that had ended but was killed before its model was exported is only exported.

    Args:
        name: of the model.
        changes: training settings asked for now, by name; only those of `textgen.run.RESUMABLE` may
            differ from what the run began with.
        paths: where given, the corpus is read again and must be the same.
        models_dir: the models folder.
        tensorboard: also write TensorBoard's event files.
        reporter: is told what happens.
        should_stop: asked between calls into TensorFlow.

    Raises:
        CheckpointError: there is no run to go on with, its model of max_steps is there, or
            the corpus is another.
        ConfigError: a setting differs that must not.
        TextgenError: see `textgen.errors`.
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    reporter.phase("reading")
    run = reopen_run(catalog.model_folder(name) / "train", changes)
    if paths and not began_with(run, paths, catalog.folder, reporter):
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
        planning=None,
        tensorboard=tensorboard,
        reporter=reporter,
        should_stop=should_stop,
    )


def _check_plannable(config: RunConfig) -> None:
    if config.training.strategy == "multi-worker":
        raise ConfigError(
            "A run of several workers cannot be planned: each would measure another machine, "
            "and all need the same settings. Received: strategy='multi-worker'"
        )


def _make_plan(run: Run, planning: Planning, num_devices: int) -> Plan:
    """Plan a run whose tokens are known."""
    characters = run.corpus["num_characters"] - run.corpus["validation_characters"]
    share = min(1.0, COMPRESSED_CHARACTERS / characters)
    begin = run.tokenizer.decode(run.store.train[: round(share * run.store.train.size)])
    size = CorpusSize(
        train_characters=characters,
        validation_characters=run.corpus["validation_characters"],
        train_tokens=run.store.train.size,
        validation_tokens=min(run.store.validation.size, MAX_VALIDATION_TARGETS),
        vocab_size=run.tokenizer.vocab_size,
        compressed_bits=compressed_bits(begin),
    )
    machine = measure_machine(num_devices)
    return make_plan(run.config, planning.fixed, size, machine, planning.seconds_left(machine))


def _train_and_export(
    catalog: Catalog,
    name: str,
    strategy_name: str,
    open_run: Callable[[bool], Run],
    *,
    resumed: bool,
    planning: Planning | None,
    tensorboard: bool,
    reporter: Reporter,
    should_stop: Callable[[], bool],
) -> Trained:
    """Train the run that `open_run(is_chief)` gives and publish the result."""
    # Imported here: whoever mistyped a file name should not wait for TensorFlow.
    from textgen.generation import SampleWriter
    from textgen.training.checkpoints import Checkpoints
    from textgen.training.distribution import build_strategy, is_chief
    from textgen.training.history import History
    from textgen.training.loop import Trainer

    # First of all: a multi-worker strategy must exist before any TensorFlow op runs.
    strategy = build_strategy(strategy_name)
    chief = is_chief(strategy)
    run = open_run(chief)
    folder = catalog.model_folder(name) / "train"
    deadline = math.inf
    try:
        if planning is not None:
            planned = _make_plan(run, planning, strategy.num_replicas_in_sync)
            run = replan(run, planned.config)
            deadline = planning.deadline(planned)
            reporter.planned(str(planned))
        trainer = Trainer(
            run.config.model,
            run.config.training,
            run.tokenizer.vocab_size,
            run.store.train,
            run.store.validation,
            Checkpoints(folder / "checkpoints", run.config.training.keep_checkpoints),
            History(folder / "history.jsonl", folder / "tensorboard" if tensorboard else None),
            strategy,
            tokens_per_character=run.tokens_per_character,
            reporter=reporter,
        )
    except BaseException:
        # Only the chief wrote a folder; a worker may hold the run before in its place.
        if chief and not resumed:
            discard_run(run.folder)
        raise
    if chief and not resumed:
        replace_run(folder, run.folder)
    outcome = trainer.fit(
        resumed,
        lambda: should_stop() or time.monotonic() >= deadline,
        SampleWriter(run.tokenizer, run.has_documents),
        exported_step(folder) if resumed else None,
    )
    if time.monotonic() >= deadline and outcome.ended_by == "interrupt" and not should_stop():
        outcome = dataclasses.replace(outcome, ended_by="time_budget")
    if not outcome.is_chief:
        return Trained(name, None, outcome)
    reporter.phase("exporting")
    return Trained(name, _export(catalog, name, run, outcome), outcome)


def _export(catalog: Catalog, name: str, run: Run, outcome: Outcome) -> Path:
    from textgen.export import write_saved_model
    from textgen.generation import Generator
    from textgen.serving import write_configuration

    generator = Generator.of_model(outcome.model, run.tokenizer, run.has_documents)
    card = make_card(name, run, outcome)
    with catalog.new_version(name) as (scratch, path):
        write_saved_model(scratch, generator, run.tokenizer, card)
    note_export(path.with_name("train"), outcome.step, path.name)
    write_configuration(path.parent, name)
    return path
