"""From a corpus to a SavedModel: train a new run, plan one, or resume one."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from textgen.catalog import Catalog
from textgen.config import RunConfig, given_settings
from textgen.corpus import find_parts
from textgen.errors import CheckpointError, ConfigError
from textgen.inheritance import find_parent, inherit
from textgen.job import (
    Trained,
    build_trainer,
    count_epochs,
    finish,
    keep_parent,
    plan_run,
    sample_writer,
)
from textgen.planning import Plan, PlanRequest
from textgen.reporter import Reporter
from textgen.run import (
    ModelRuns,
    Parent,
    begin_run,
    exported_step,
    has_same_corpus,
    read_or_reuse,
    reopen_run,
)
from textgen.teaching import find_teacher, must_teach, teach
from textgen.workplace import devices, locked

Paths = Sequence[str | os.PathLike[str]]

_CANNOT_PLAN = "A plan is for one machine only. Received: strategy='multi-worker'"


def train(
    paths: Paths,
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    validation: Paths = (),
    test: Paths = (),
    replay: Paths = (),
    time_budget: float | None = None,
    started: float | None = None,
    tensorboard: bool = False,
    reporter: Reporter | None = None,
    should_stop: Callable[[], str | None] = lambda: None,
    **settings: Any,
) -> Trained:
    """Train a model on a corpus and export it as the next version of `name`.

    Size and length of the run are planned for the corpus, this machine and the time budget.
    Settings that you give are kept.

    Args:
        paths: Files, folders, globs, or `-` for standard input.
        name: The model's name, a plain folder name.
        config: A record of settings, all of which are kept.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        validation: Files to validate with, instead of the end of the corpus.
        test: Files to test the exported model with. The loss is stored in its card.
        replay: Files with older text to mix in, so that a model from `from_model` forgets less.
        time_budget: Seconds until the model is exported. Defaults to 5 minutes, or 10 with a
            GPU. With a given `max_steps`, the time only decides the size.
        started: When the time budget began, on the clock of `time.monotonic`. Defaults to now.
        tensorboard: Whether to write TensorBoard's event files.
        reporter: Receives what happens.
        should_stop: Called between calls into TensorFlow; returns why to stop the run, such as
            `"interrupt"`, or `None`. When stopped, the best model so far is exported.
        **settings: Settings to keep, by name: those of `RunConfig` and its parts, and `size`.
            With `strategy="multi-worker"` nothing is planned; the others get their defaults.

    Returns:
        The exported version, and how training ended.

    Raises:
        ModelBusyError: If another run of `name` is in progress.
        TextgenError: See `textgen.errors`. Versions exported earlier are untouched.
        OSError: If a folder cannot be written.

    Example:
        >>> trained = textgen.train(["corpus.txt"], name="mine", num_layers=1, max_steps=5)
        >>> trained.path
        PosixPath('saved_models/mine/1')
        >>> trained.result.ended_by
        'max_steps'
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    config, request, parent = _requested(catalog, config, settings, time_budget, started)
    teacher = find_teacher(config, catalog)
    runs = ModelRuns(catalog.model_folder(name))
    others = {"validation": validation, "test": test, "replay": replay}
    sources, parts = find_parts(paths, others, config.corpus, catalog.folder)
    with locked(runs, config) as lock:
        source = read_or_reuse(sources, runs, config, reporter, parent, parts)
        with devices(config, lock) as (strategy, is_chief):
            run = begin_run(source, runs, config, reporter, parent, writes=is_chief)
            deadline, closing_seconds = math.inf, 0.0
            with run.folder.discarded_on_error() if is_chief else contextlib.nullcontext():
                teach(run, teacher, runs.newest, reporter)
                if request is not None:
                    planned = plan_run(run, request, strategy.num_replicas_in_sync)
                    run = run.with_config(planned.config)
                    reporter.planned(planned)
                    deadline, closing_seconds = request.deadline(planned), planned.closing_seconds
                else:
                    run = count_epochs(run)
                if is_chief:
                    keep_parent(run)
                trainer = build_trainer(run, runs.newest, strategy, tensorboard, reporter)
            if is_chief:
                runs.start_new()
            result = trainer.fit(
                should_stop=should_stop,
                write_sample=sample_writer(run),
                deadline=deadline,
                closing_seconds=closing_seconds,
            )
        return finish(run, runs, result, catalog, reporter)


def plan(
    paths: Paths,
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    validation: Paths = (),
    test: Paths = (),
    replay: Paths = (),
    time_budget: float | None = None,
    started: float | None = None,
    reporter: Reporter | None = None,
    **settings: Any,
) -> Plan:
    """Return the plan that `train` would make now, without beginning a run.

    Args:
        paths: Files, folders, globs, or `-` for standard input.
        name: The model's name. Its newest run may hold the corpus's tokens.
        config: A record of settings to keep; see `train`.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        validation: See `train`.
        test: See `train`.
        replay: See `train`.
        time_budget: Seconds until the model is exported; see `train`.
        started: When the time budget began; see `train`.
        reporter: Receives what happens.
        **settings: Settings to keep; see `train`.

    Raises:
        ConfigError: If several workers are to train.
        TextgenError: See `textgen.errors`.

    Example:
        >>> plan = textgen.plan(["corpus.txt"], "mine", hidden_dim=64, max_steps=5)
        >>> plan.config.model.hidden_dim
        64
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    config, request, parent = _requested(catalog, config, settings, time_budget, started)
    if request is None:
        raise ConfigError(_CANNOT_PLAN)
    teacher = find_teacher(config, catalog)
    runs = ModelRuns(catalog.model_folder(name))
    others = {"validation": validation, "test": test, "replay": replay}
    sources, parts = find_parts(paths, others, config.corpus, catalog.folder)
    source = read_or_reuse(sources, runs, config, reporter, parent, parts)
    with devices(config) as (strategy, _):
        run = begin_run(source, runs, config, reporter, parent, writes=False)
        missing = teacher if must_teach(run, teacher, runs.newest) else None
        return plan_run(run, request, strategy.num_replicas_in_sync, missing)


def resume(
    paths: Paths,
    name: str,
    config: RunConfig | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    *,
    validation: Paths = (),
    test: Paths = (),
    replay: Paths = (),
    time_budget: float | None = None,
    started: float | None = None,
    tensorboard: bool = False,
    reporter: Reporter | None = None,
    should_stop: Callable[[], str | None] = lambda: None,
    **settings: Any,
) -> Trained:
    """Continue the newest run of `name` from its last checkpoint, and export its model.

    A run that had ended, but was killed before its model was exported, is only exported.

    Args:
        paths: The corpus, which must not have changed. If empty, it is not read again.
        name: The model's name.
        config: A record of settings; see below.
        models_dir: The models folder. Defaults to TEXTGEN_MODELS or ./saved_models.
        validation: See `train`; only if `paths` has the corpus.
        test: See `validation`.
        replay: See `validation`.
        time_budget: Seconds until the model is exported, also for a run that has ended. Defaults
            to what is left of the run's own budget, if it has one.
        started: When the time budget began; see `train`.
        tensorboard: Whether to write TensorBoard's event files.
        reporter: Receives what happens.
        should_stop: Called between calls into TensorFlow; see `train`.
        **settings: Settings by name. Only those in `textgen.run.RESUMABLE` may differ from what
            the run began with.

    Raises:
        CheckpointError: If there is no run to continue, if it has ended and its model is
            exported, or if the corpus has changed.
        ConfigError: If a setting differs that may not, or does not exist.
        ModelBusyError: If another run of `name` is in progress.
        TextgenError: See `textgen.errors`.

    Example:
        >>> textgen.resume([], "shakespeare", max_steps=8).result.step
        8
    """
    reporter = reporter or Reporter()
    catalog = Catalog(models_dir)
    runs = ModelRuns(catalog.model_folder(name))
    reporter.phase("reading")
    changes = _given(config, settings)
    run = reopen_run(runs.newest, changes)
    request = _request(run.config, changes, time_budget, started)
    deadline = request.started + time_budget if request and time_budget else math.inf
    with locked(runs, run.config) as lock:
        if paths:
            others = {"validation": validation, "test": test, "replay": replay}
            sources, parts = find_parts(paths, others, run.config.corpus, catalog.folder)
            if not has_same_corpus(run, sources, catalog.folder, reporter, parts):
                raise CheckpointError(
                    f"The corpus is not the one that the run of {name!r} began with. "
                    "To train on it, begin a new run."
                )
        with devices(run.config, lock) as (strategy, _):
            trainer = build_trainer(
                run, runs.newest, strategy, tensorboard, reporter, is_resumed=True
            )
            result = trainer.fit(
                resume=True,
                should_stop=should_stop,
                write_sample=sample_writer(run),
                exported_step=exported_step(runs.newest),
                deadline=deadline,
                extend=time_budget is not None or "max_steps" in changes,
            )
        return finish(run, runs, result, catalog, reporter)


def _given(config: RunConfig | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the user gave, in a record or by name."""
    given = {**(config.to_settings() if config else {}), **given_settings(settings)}
    return {name: os.fspath(v) if isinstance(v, os.PathLike) else v for name, v in given.items()}


def _requested(
    catalog: Catalog,
    config: RunConfig | None,
    settings: dict[str, Any],
    time_budget: float | None,
    started: float | None,
) -> tuple[RunConfig, PlanRequest | None, Parent | None]:
    """Return the settings to begin with, what to plan, and the model to begin from."""
    given = _given(config, settings)
    config = RunConfig.from_settings(given)
    request = _request(config, given, time_budget, started)
    if config.from_model is None:
        return config, request, None
    parent, cleaning = find_parent(catalog, config.from_model)
    return inherit(config, given, parent, cleaning), request, parent


def _request(
    config: RunConfig, given: dict[str, Any], time_budget: float | None, started: float | None
) -> PlanRequest | None:
    """Return what to plan: nothing for several workers."""
    if config.training.strategy != "multi-worker":
        started = time.monotonic() if started is None else started
        return PlanRequest(frozenset(given), time_budget, started)
    if time_budget is not None:
        raise ConfigError(_CANNOT_PLAN)
    return None
