"""A job: a run trained on the devices of this machine, or of several, and exported."""

from __future__ import annotations

import dataclasses
import math
import time
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
    Planning,
    compressed_bits,
    make_plan,
    measure_machine,
)
from textgen.run import (
    Run,
    RunLock,
    discard_run,
    exported_step,
    note_export,
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


@dataclass(frozen=True)
class Job:
    """What is to be done with a run, and who is told.

    Attributes:
        catalog: the models folder.
        name: of the model.
        strategy: see `textgen.training.distribution.build_strategy`.
        open_run: gives the run; is told whether this process is the chief, which writes.
        lock: of the model's folder. The chief of several workers takes it.
        resumed: go on from the run's last checkpoint.
        planning: where given, the run is planned and ends in time.
        tensorboard: also write TensorBoard's event files.
        reporter: is told what happens.
        should_stop: asked between calls into TensorFlow.
    """

    catalog: Catalog
    name: str
    strategy: str
    open_run: Callable[[bool], Run]
    lock: RunLock
    resumed: bool
    planning: Planning | None
    tensorboard: bool
    reporter: Reporter
    should_stop: Callable[[], bool]

    def do(self) -> Trained:
        """Train the run and export it as the next version of the model."""
        # Imported here: whoever mistyped a file name should not wait for TensorFlow.
        from textgen.training.distribution import reporting_device_errors

        with reporting_device_errors(self.strategy):
            run, outcome = self._train()
        if not outcome.is_chief:
            return Trained(self.name, None, outcome)
        self.reporter.phase("exporting")
        return Trained(self.name, self._export(run, outcome), outcome)

    @property
    def _folder(self) -> Path:
        return self.catalog.model_folder(self.name) / "train"

    def _train(self) -> tuple[Run, Outcome]:
        from textgen.generation import SampleGenerator
        from textgen.training.checkpoints import Checkpoints
        from textgen.training.distribution import build_strategy, is_chief
        from textgen.training.history import History
        from textgen.training.loop import Trainer
        from textgen.training.workers import Workers

        # First of all: a multi-worker strategy must exist before any TensorFlow op runs.
        strategy = build_strategy(self.strategy)
        chief = is_chief(strategy)
        if chief:
            self.lock.acquire()
        run = self.open_run(chief)
        folder, deadline = self._folder, math.inf
        tensorboard = folder / "tensorboard" if self.tensorboard else None
        try:
            if self.planning is not None:
                planned = plan_run(run, self.planning, strategy.num_replicas_in_sync)
                run = replan(run, planned.config)
                deadline = self.planning.deadline(planned)
                self.reporter.planned(str(planned))
            if not Workers(strategy).have_same(f"{run.config.to_dict()} {run.corpus.digest}"):
                raise ConfigError(
                    "All workers must train on the same corpus with the same settings. "
                    "Received: others there than here."
                )
            trainer = Trainer(
                run.config.model,
                run.config.training,
                run.tokenizer.vocab_size,
                run.store.train,
                run.store.validation,
                Checkpoints(folder / "checkpoints", run.config.training.keep_checkpoints),
                History(folder / "history.jsonl", tensorboard),
                strategy,
                tokens_per_character=run.tokens_per_character,
                reporter=self.reporter,
            )
        except BaseException:
            # Only the chief wrote a folder; a worker may hold the run before in its place.
            if chief and not self.resumed:
                discard_run(run.folder)
            raise
        if chief and not self.resumed:
            replace_run(folder, run.folder)
        outcome = trainer.fit(
            self.resumed,
            lambda: self.should_stop() or time.monotonic() >= deadline,
            SampleGenerator(run.tokenizer, run.has_documents),
            exported_step(folder) if self.resumed else None,
        )
        is_late = time.monotonic() >= deadline
        if is_late and outcome.ended_by == "interrupt" and not self.should_stop():
            outcome = dataclasses.replace(outcome, ended_by="time_budget")
        return run, outcome

    def _export(self, run: Run, outcome: Outcome) -> Path:
        from textgen.export import write_saved_model
        from textgen.generation import Generator
        from textgen.serving.tf_serving import write_configuration

        generator = Generator.of_model(outcome.model, run.tokenizer, run.has_documents)
        card = make_card(self.name, run, outcome)
        path = self.catalog.add_version(
            self.name, lambda folder: write_saved_model(folder, generator, run.tokenizer, card)
        )
        note_export(self._folder, outcome.step, path.name)
        write_configuration(path.parent, self.name)
        return path


def plan_run(run: Run, planning: Planning, num_devices: int) -> Plan:
    """Plan a run whose tokens are known.

    Args:
        run: whose config tells what no plan changes.
        planning: what to keep, and how long the run may take.
        num_devices: that share a batch.

    Raises:
        CorpusError: the corpus is too short for any plan.
    """
    characters = run.corpus.train_characters
    share = min(1.0, COMPRESSED_CHARACTERS / characters)
    begin = run.tokenizer.decode(run.store.train[: round(share * run.store.train.size)])
    size = CorpusSize(
        train_characters=characters,
        validation_characters=run.corpus.validation_characters,
        train_tokens=run.store.train.size,
        validation_tokens=min(run.store.validation.size, MAX_VALIDATION_TARGETS),
        vocab_size=run.tokenizer.vocab_size,
        compressed_bits=compressed_bits(begin),
    )
    machine = measure_machine(num_devices)
    plan = make_plan(run.config, planning.fixed, size, machine, planning.seconds_left(machine))
    model, training = plan.config.model, plan.config.training
    # A plan that cannot begin is none: these refuse a corpus that is too short.
    TrainingWindows(run.store.train, model.context_length, training.batch_size, training.seed)
    ValidationWindows(run.store.validation, model.context_length, training.batch_size)
    return plan
