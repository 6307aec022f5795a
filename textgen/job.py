"""The steps of a training job: plan the run, build its trainer, export its model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textgen.card import make_card
from textgen.catalog import Catalog
from textgen.dataset import MAX_VALIDATION_TARGETS, TrainingWindows, ValidationWindows
from textgen.errors import ConfigError
from textgen.planning import (
    COMPRESSED_CHARACTERS,
    CorpusSize,
    Plan,
    PlanRequest,
    compressed_bits,
    make_plan,
    measure_machine,
)
from textgen.reporter import Reporter
from textgen.run import ModelRuns, Run, RunFolder, record_export

if TYPE_CHECKING:
    import tensorflow as tf

    from textgen.models import LanguageModel
    from textgen.training.loop import Trainer
    from textgen.training.result import TrainingResult


@dataclass(frozen=True)
class Trained:
    """What a training run left.

    Attributes:
        name: The model's name.
        path: The SavedModel's folder, or `None` in a worker that is not the chief.
        result: How training ended.
    """

    name: str
    path: Path | None
    result: TrainingResult


def plan_run(run: Run, request: PlanRequest, num_devices: int) -> Plan:
    """Plan a run whose tokens are known.

    Args:
        run: The run.
        request: What to keep, and how long the run may take.
        num_devices: Number of devices that share a batch.

    Raises:
        CorpusError: If the corpus is too short for any plan.
    """
    tokens, characters = run.store.train, run.corpus.train_characters
    fraction = min(1.0, COMPRESSED_CHARACTERS / characters)
    beginning = run.tokenizer.decode(tokens[: round(fraction * tokens.size)])
    size = CorpusSize(
        train_characters=characters,
        validation_characters=run.corpus.validation_characters,
        train_tokens=tokens.size,
        validation_tokens=min(run.store.validation.size, MAX_VALIDATION_TARGETS),
        vocab_size=run.tokenizer.vocab_size,
        compressed_bits=compressed_bits(beginning),
    )
    machine = measure_machine(num_devices)
    planned = make_plan(run.config, request.fixed, size, machine, request.seconds_left(machine))
    model, training = planned.config.model, planned.config.training
    # These refuse a corpus that is too short.
    TrainingWindows(tokens, model.context_length, training.batch_size, training.seed)
    judged = run.store.validation if run.store.validation.size else tokens
    ValidationWindows(judged, model.context_length, training.batch_size)
    return planned


def count_epochs(run: Run) -> Run:
    """Return a run whose `max_steps` are those of its `epochs`, if these are given."""
    training = run.config.training
    if training.epochs is None:
        return run
    tokens = training.batch_size * run.config.model.context_length
    steps = max(1, math.ceil(training.epochs * run.store.train.size / tokens))
    training = dataclasses.replace(training, max_steps=steps)
    return run.with_config(dataclasses.replace(run.config, training=training))


def build_trainer(
    run: Run,
    folder: RunFolder,
    strategy: tf.distribute.Strategy,
    tensorboard: bool,
    reporter: Reporter,
) -> Trainer:
    """Build the trainer of a run. Everything that can refuse to start does so here.

    Args:
        run: The run.
        folder: Where the run will be once it starts.
        strategy: From `textgen.training.distribution.build_strategy`.
        tensorboard: Whether to write TensorBoard's event files.
        reporter: Receives what happens.

    Raises:
        ConfigError: If workers disagree, the batch cannot be divided, or TensorBoard is missing.
        CorpusError: If the corpus is too short.
    """
    from textgen.training.checkpoints import Checkpoints
    from textgen.training.history import History
    from textgen.training.loop import Trainer
    from textgen.training.workers import Workers

    config = run.config
    if not Workers(strategy).have_same(f"{config.to_dict()} {run.corpus.digest}"):
        raise ConfigError(
            "All workers must train on the same corpus with the same settings. "
            "Received: a mismatch between workers"
        )
    return Trainer(
        config.model,
        config.training,
        run.tokenizer.vocab_size,
        run.store.train,
        run.store.validation,
        Checkpoints(folder.checkpoints, config.training.keep_checkpoints),
        History(folder.history, folder.tensorboard if tensorboard else None),
        strategy,
        tokens_per_character=run.tokens_per_character,
        reporter=reporter,
    )


def sample_writer(run: Run) -> Callable[[LanguageModel], str]:
    """Return a function that shows what a run's model generates."""
    from textgen.generation import SampleGenerator

    is_seen = run.store.seen(run.tokenizer.vocab_size)
    return SampleGenerator(run.tokenizer, run.has_documents, is_seen)


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
    """
    from textgen.export import write_saved_model
    from textgen.generation import Generator
    from textgen.serving.tf_serving import write_configuration

    if not result.is_chief:
        return Trained(runs.name, None, result)
    reporter.phase("exporting")
    is_seen = run.store.seen(run.tokenizer.vocab_size)
    generator = Generator.of_model(result.model, run.tokenizer, run.has_documents, is_seen)
    card = make_card(runs.name, run, result)
    path = catalog.add_version(
        runs.name, lambda folder: write_saved_model(folder, generator, run.tokenizer, card)
    )
    record_export(runs.newest, result.step, path.name)
    write_configuration(path.parent, runs.name)
    return Trained(runs.name, path, result)
