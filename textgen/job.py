"""The steps of a training job: plan the run, build its trainer, export its model."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.card import make_card
from textgen.catalog import ADAPTER_PATH, Catalog
from textgen.config import RunConfig
from textgen.errors import ConfigError
from textgen.planning import (
    COMPRESSED_CHARACTERS,
    CorpusSize,
    Plan,
    PlanRequest,
    compressed_bits,
    make_plan,
    measure_machine,
    teaching_seconds,
)
from textgen.reporter import Reporter
from textgen.run import ModelRuns, Parent, Run, RunFolder, record_export
from textgen.teaching import describe_teacher, taught_tokens
from textgen.tokenizer import ImportedTokenizer
from textgen.windows import Windows, cut_windows

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from textgen.models import LanguageModel
    from textgen.training.loop import Trainer
    from textgen.training.result import TrainingResult


@dataclass(frozen=True)
class Trained:
    """The result of a training run: the exported model, and how training ended.

    Attributes:
        name: The model's name.
        path: The SavedModel's folder, or `None` in a worker that is not the chief.
        result: How training ended.

    Example:
        >>> trained.result.ended_by
        'max_steps'
        >>> with textgen.load(trained.path) as model:
        ...     model.card.steps
        5
    """

    name: str
    path: Path | None
    result: TrainingResult


def plan_run(
    run: Run, request: PlanRequest, num_devices: int, teacher: Parent | None = None
) -> Plan:
    """Plan a run whose tokens are known.

    Args:
        run: The run.
        request: What to keep, and how long the run may take.
        num_devices: Number of devices that share a batch.
        teacher: The model that has yet to teach the run, if there is one.

    Raises:
        CorpusError: If the corpus is too short for any plan.
    """
    tokens, characters = run.store.train, run.corpus.train_characters
    fraction = min(1.0, COMPRESSED_CHARACTERS / characters)
    beginning = run.tokenizer.decode(tokens[: round(fraction * tokens.size)])
    rows = run.store.rows.get("train")
    size = CorpusSize(
        train_characters=characters,
        validation_characters=run.corpus.validation_characters,
        train_tokens=tokens.size,
        validation_tokens=min(
            run.store.num_learned("validation"), run.config.training.validation_tokens
        ),
        vocab_size=run.tokenizer.vocab_size,
        compressed_bits=compressed_bits(beginning),
        train_fraction=_train_fraction(run),
        num_rows=0 if rows is None else len(rows),
        longest_row=0 if rows is None else int((rows[:, 2] - rows[:, 0]).max()),
    )
    machine = measure_machine(num_devices)
    teaching = 0.0
    if teacher is not None:
        teaching = teaching_seconds(teacher.config, tokens.size, size.vocab_size, machine)
        request = dataclasses.replace(request, started=request.started - teaching)
    planned = make_plan(run.config, request.fixed, size, machine, request.seconds_left(machine))
    planned = dataclasses.replace(planned, seconds=planned.seconds + teaching)
    _windows(run, planned.config)  # refuses a corpus that is too short
    return planned


def _windows(
    run: Run, config: RunConfig, judged: str = "validation", train: np.ndarray | None = None
) -> Windows:
    """Return the windows of a run, with other parts in place of those of its corpus if asked."""
    store = run.store
    rows = dict(store.rows)
    if judged in rows:
        rows["validation"] = rows[judged]
    return cut_windows(
        store.train if train is None else train,
        getattr(store, judged),
        config.training,
        config.model.context_length,
        store.replay,
        run.tokenizer.vocab_size,
        rows,
    )


def _train_fraction(run: Run) -> float:
    """Return the fraction of the windows that are not cut from older text."""
    return 1.0 if run.store.replay is None else 1 - run.config.training.replay_fraction


def count_epochs(run: Run) -> Run:
    """Return a run whose `max_steps` follow from its `epochs`, if these are given."""
    training = run.config.training
    if training.epochs is None:
        return run
    rows = run.store.rows.get("train")
    window = training.window(run.config.model.context_length)
    windows = run.store.train.size / window if rows is None else len(rows)
    steps = max(
        1, math.ceil(training.epochs * windows / training.batch_size / _train_fraction(run))
    )
    training = dataclasses.replace(training, max_steps=steps)
    return run.with_config(dataclasses.replace(run.config, training=training))


def keep_parent(run: Run) -> None:
    """Keep the weights of a run's parent, because a run without a checkpoint resumes from them.

    Raises:
        OSError: If the folder cannot be written.
    """
    if run.parent is not None:
        run.parent.keep(run.folder.parent)


def build_trainer(
    run: Run,
    folder: RunFolder,
    strategy: tf.distribute.Strategy,
    tensorboard: bool,
    reporter: Reporter,
    *,
    is_resumed: bool = False,
) -> Trainer:
    """Build the trainer of a run. Everything that can refuse to start does so here.

    Args:
        run: The run.
        folder: Where the run will be once it starts.
        strategy: From `textgen.training.distribution.build_strategy`.
        tensorboard: Whether to write TensorBoard's event files.
        reporter: Receives what happens.
        is_resumed: Whether the run is resumed, so that a checkpoint may have the trained weights.

    Raises:
        CheckpointError: If the files of the parent have changed since the run began.
        ConfigError: If workers disagree, the batch cannot be divided, or TensorBoard is missing.
        CorpusError: If the corpus is too short.
    """
    from textgen.training.checkpoints import Checkpoints
    from textgen.training.history import History
    from textgen.training.loop import Trainer
    from textgen.training.workers import Workers

    config, parent = run.config, run.parent
    same = f"{config.to_dict()} {run.corpus.digest} {parent and parent.digest}"
    if not Workers(strategy).have_same(same):
        raise ConfigError(
            "All workers must train on the same corpus with the same settings. "
            "Received: a mismatch between workers"
        )
    checkpoints = Checkpoints(folder.checkpoints, config.training.keep_checkpoints)
    begins = not is_resumed or checkpoints.is_empty
    loads_parent = config.training.is_partial or begins
    return Trainer(
        config.model,
        config.training,
        run.tokenizer.vocab_size,
        _windows(run, config, train=taught_tokens(run) if config.training.teacher else None),
        checkpoints,
        History(folder.history, folder.tensorboard if tensorboard else None, folder.samples),
        strategy,
        to_bits=run.bits_per_character,
        reporter=reporter,
        has_parent=parent is not None,
        parent_weights=parent.weights() if parent and loads_parent else None,
    )


def sample_writer(run: Run) -> Callable[[LanguageModel], str]:
    """Return a function that shows what a run's model generates."""
    from textgen.generation import SampleGenerator

    return SampleGenerator(run.tokenizer, run.has_documents, run.seen_tokens(), _first_prompt(run))


def _first_prompt(run: Run) -> str:
    """Return the first prompt of a run, if it has prompts that are plain text."""
    rows = run.store.rows.get("train")
    if rows is None or isinstance(run.tokenizer, ImportedTokenizer):
        return ""
    start, answer, _ = rows[0]
    return run.tokenizer.decode(run.store.train[start:answer])


def finish(
    run: Run, runs: ModelRuns, result: TrainingResult, catalog: Catalog, reporter: Reporter
) -> Trained:
    """Export a trained run as the model's next version, unless another worker does.

    Args:
        run: The run.
        runs: The model's runs, of which it is the newest.
        result: How training ended, with the weights to export.
        catalog: The models folder.
        reporter: Receives what happens.

    Raises:
        OSError: If the version cannot be written.
        TrainingDivergedError: If the model is far worse than a guess.
    """
    from textgen.export import write_card, write_saved_model
    from textgen.generation import DraftTable, Generator
    from textgen.inference.copying import measure_copies
    from textgen.serving.tf_serving import write_configuration
    from textgen.training.loss import mean_loss

    if not result.is_chief:
        return Trained(runs.name, None, result)
    result.check_learned(run.tokenizer.vocab_size)
    if run.store.test is not None:
        reporter.phase("testing")
        windows = _windows(run, run.config, judged="test").validation
        result = dataclasses.replace(result, test_loss=mean_loss(result.model, windows))
    reporter.phase("exporting")
    model = result.model
    # Without weights, which the export takes from the model one after the other.
    decoder = model.decoder_class(model.config, model.vocab_size, {})
    tokens = (run.store.train, run.store.validation)
    drafts = DraftTable.for_decoder(decoder, model.count_params(), *tokens)
    seen = run.seen_tokens()
    generator = Generator(decoder, run.tokenizer, run.has_documents, seen, drafts=drafts)
    card = make_card(runs.name, run, result)
    if run.config.training.teacher is not None:
        card = dataclasses.replace(card, teacher=describe_teacher(runs.newest))

    def write(folder: Path) -> None:
        weights = model.fused_weights()
        write_saved_model(folder, generator, run.tokenizer, card, run.chat_template, weights)
        if model.adapters is not None:
            model.adapters.save(folder / ADAPTER_PATH)
        copies = measure_copies(folder, dataclasses.replace(run, folder=runs.newest))
        write_card(folder, dataclasses.replace(card, copies=copies))

    path = catalog.add_version(runs.name, write)
    record_export(runs.newest, result.step, path.name)
    if not run.config.training.is_partial:  # Its checkpoints have all weights.
        shutil.rmtree(runs.newest.parent, ignore_errors=True)
    write_configuration(path.parent, runs.name)
    return Trained(runs.name, path, result)
