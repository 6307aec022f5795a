"""What users ask for: training on a corpus, only the plan of it, going on with a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from textgen.catalog import Catalog
from textgen.config import RunConfig
from textgen.errors import CheckpointError, ConfigError
from textgen.job import Job, Trained, plan_run
from textgen.planning import Plan, Planning
from textgen.run import RunLock, began_with, prepare_run, reopen_run
from textgen.training.reporter import Reporter


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
        ModelBusyError: another run of `name` is going on.
        TextgenError: see `textgen.errors`; versions exported earlier are untouched.
        OSError: a folder cannot be written.
    """
    reporter = reporter or Reporter()
    config = config or RunConfig()
    if planning is not None:
        _check_plannable(config)
    catalog = Catalog(models_dir)
    with _lock(catalog, name, config) as lock:
        return Job(
            catalog,
            name,
            config.training.strategy,
            prepare_run(paths, catalog.model_folder(name), config, reporter),
            lock,
            resumed=False,
            planning=planning,
            tensorboard=tensorboard,
            reporter=reporter,
            should_stop=should_stop,
        ).do()


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
    return plan_run(run, planning or Planning(), strategy.num_replicas_in_sync)


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
        ConfigError: a setting differs that must not, or there is none of a name.
        ModelBusyError: another run of `name` is going on.
        TextgenError: see `textgen.errors`.
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    reporter.phase("reading")
    run = reopen_run(catalog.model_folder(name) / "train", changes)
    with _lock(catalog, name, run.config) as lock:
        if paths and not began_with(run, paths, catalog.folder, reporter):
            raise CheckpointError(
                f"The corpus is not the one the run of {name!r} began with. "
                "Leave out --resume to train on it anew."
            )
        return Job(
            catalog,
            name,
            run.config.training.strategy,
            lambda chief: run,
            lock,
            resumed=True,
            planning=None,
            tensorboard=tensorboard,
            reporter=reporter,
            should_stop=should_stop,
        ).do()


@contextmanager
def _lock(catalog: Catalog, name: str, config: RunConfig) -> Iterator[RunLock]:
    """Keep other runs out of a model's folder, to the end of the block."""
    with RunLock(catalog.model_folder(name)) as lock:
        # Of several workers only the chief writes, who is known when they have come together.
        if config.training.strategy != "multi-worker":
            lock.acquire()
        yield lock


def _check_plannable(config: RunConfig) -> None:
    if config.training.strategy == "multi-worker":
        raise ConfigError(
            "A run of several workers cannot be planned: each would measure another machine, "
            "and all need the same settings. Received: strategy='multi-worker'"
        )
