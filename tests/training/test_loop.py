"""What the training loop promises: honest losses, an end in time, the best weights back."""

import errno
import json
import math
import os

import numpy as np
import pytest

from textgen.errors import TrainingDivergedError
from textgen.reporter import Reporter
from textgen.training import clock, loop


class Recorder(Reporter):
    def __init__(self):
        self.validations = []
        self.losses = []

    def validation(self, validation):
        self.validations.append(validation)

    def progress(self, progress):
        self.losses.append(progress.loss)


def numpy_loss(model, tokens, context_length=8):
    """Mean of -log softmax over all targets, window after window."""
    total = 0.0
    for start in range(0, len(tokens) - 1, context_length):
        window = tokens[start : start + context_length + 1].astype(np.int32)
        logits = np.asarray(model(window[None, :-1], training=False), np.float64)[0]
        log_z = np.log(np.exp(logits).sum(axis=-1))
        total += (log_z - logits[np.arange(len(logits)), window[1:]]).sum()
    return total / (len(tokens) - 1)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_loss_that_is_no_number_names_the_step_and_what_to_try(make_trainer, optimizer):
    trainer = make_trainer(optimizer=optimizer, learning_rate=1e38, warmup_steps=0)
    with pytest.raises(TrainingDivergedError, match=r"at step \d+\..*learning_rate"):
        trainer.fit()


def test_divergence_names_the_very_step_and_keeps_the_checkpoint_before(make_trainer):
    make_trainer(max_steps=4).fit()
    trainer = make_trainer(max_steps=8)
    restore = trainer._checkpoint_manager.restore

    def poison():
        state = restore()
        weight = trainer.model.trainable_variables[0]
        weight.assign(np.full(weight.shape, np.nan, np.float32))
        return state

    trainer._checkpoint_manager.restore = poison
    with pytest.raises(TrainingDivergedError, match=r"at step 5\."):
        trainer.fit(resume=True)
    assert trainer.checkpoints.load_newest()[1]["step"] == 4


def poison_after(trainer, step):
    """Make the update of a step spoil a weight, when the loss of that step is worked out."""
    run = trainer._step.run

    def run_and_poison(batches, first_step, fractions):
        measures = run(batches, first_step, fractions)
        if first_step + len(batches) == step:
            weight = trainer.model.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan, np.float32))
        return measures

    trainer._step.run = run_and_poison


@pytest.mark.parametrize("step", [8, 12])
def test_a_validation_that_is_no_number_is_neither_recorded_nor_saved(make_trainer, step):
    trainer = make_trainer()
    poison_after(trainer, step)
    with pytest.raises(TrainingDivergedError, match=rf"validation loss .* at step {step}\."):
        trainer.fit()
    assert trainer.checkpoints.load_newest()[1]["step"] == step - 4
    assert "NaN" not in trainer.history.path.read_text("utf-8")


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_weights_that_are_no_numbers_are_not_saved(make_trainer, monkeypatch, is_interrupted):
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", 1e9 if is_interrupted else 0.0)
    trainer = make_trainer()
    poison_after(trainer, 6)

    def should_stop():
        return "interrupt" if is_interrupted and trainer._state.step == 6 else None

    with pytest.raises(TrainingDivergedError, match=r"weights .* at step 6\."):
        trainer.fit(should_stop=should_stop)
    assert trainer.checkpoints.load_newest()[1]["step"] == (4 if is_interrupted else 5)


def test_patience_stops_early_and_the_best_weights_are_returned(make_trainer):
    recorder = Recorder()
    # A rate far too high: after the first validations it only gets worse.
    trainer = make_trainer(
        reporter=recorder,
        learning_rate=3.0,
        warmup_steps=1,
        optimizer="adamw",
        max_steps=60,
        validate_every=2,
        patience=2,
    )
    outcome = trainer.fit()
    losses = [validation.validation_loss for validation in recorder.validations]
    assert outcome.ended_by == "patience"
    assert outcome.step < 60
    assert outcome.step == outcome.best_step + 4
    assert outcome.validation_loss == min(losses)
    found = numpy_loss(outcome.model, trainer.validation.tokens)
    assert found == pytest.approx(outcome.validation_loss, rel=1e-5)


def test_accuracy_is_the_fraction_of_tokens_that_were_the_most_likely(make_trainer):
    recorder = Recorder()
    trainer = make_trainer(reporter=recorder, max_steps=40, optimizer="adamw", learning_rate=0.02)
    model = trainer.fit().model
    tokens, hits = trainer.validation.tokens.astype(np.int32), 0
    for start in range(0, len(tokens) - 1, 8):
        window = tokens[start : start + 9]
        likely = np.argmax(np.asarray(model(window[None, :-1], training=False))[0], axis=-1)
        hits += (likely == window[1:]).sum()
    validation = next(v for v in recorder.validations if v.step == 40)
    assert validation.validation_accuracy == pytest.approx(hits / (len(tokens) - 1))
    assert 0 < recorder.validations[0].accuracy < validation.accuracy <= 1


def test_without_a_validation_part_the_last_weights_are_kept(make_trainer, tokens):
    recorder = Recorder()
    # A rate far too high: it only gets worse.
    trainer = make_trainer(reporter=recorder, learning_rate=3.0, optimizer="adamw", validation=0)
    result = trainer.fit()
    assert not result.is_validated
    assert result.best_step == result.step == 12
    found = numpy_loss(result.model, tokens)
    assert found == pytest.approx(result.validation_loss, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_plain_optimizers_learn(make_trainer, optimizer):
    recorder = Recorder()
    make_trainer(reporter=recorder, optimizer=optimizer, max_steps=100).fit()
    losses = [validation.validation_loss for validation in recorder.validations]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_the_validation_loss_is_that_of_a_plain_numpy_computation(make_trainer, architecture):
    trainer = make_trainer(model={"architecture": architecture, "dropout": 0.5}, max_steps=3)
    outcome = trainer.fit()
    assert outcome.validation_loss == pytest.approx(
        numpy_loss(outcome.model, trainer.validation.tokens), rel=1e-5
    )


@pytest.fixture
def full_disk(monkeypatch):
    """Make every file whose name holds one of the words given fail as on a full disk."""
    replace = os.replace

    def fill(*words):
        def fail(source, target):
            if any(word in str(target) for word in words):
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
            replace(source, target)

        monkeypatch.setattr(os, "replace", fail)

    return fill


def test_a_full_disk_is_told_once_and_ends_no_run(make_trainer, full_disk, caplog):
    make_trainer(max_steps=4).fit()
    full_disk("step-", "best")
    trainer = make_trainer(max_steps=12)
    assert trainer.fit(resume=True).step == 12
    told = [r.getMessage() for r in caplog.records if r.name.startswith("textgen")]
    assert len(told) == 1
    assert "Step 8 cannot be written to disk ([Errno 28] No space left on device" in told[0]
    assert trainer.checkpoints.load_newest()[1]["step"] == 4
    assert trainer.checkpoints.load_best()[1]["step"] == 4


def test_the_best_weights_come_back_even_where_the_disk_was_full(make_trainer, full_disk):
    full_disk("best")
    # A rate far too high: after the first validations it only gets worse.
    trainer = make_trainer(
        learning_rate=3.0,
        warmup_steps=1,
        optimizer="adamw",
        max_steps=60,
        validate_every=2,
        patience=2,
    )
    outcome = trainer.fit()
    assert outcome.best_step < outcome.step
    found = numpy_loss(outcome.model, trainer.validation.tokens)
    assert found == pytest.approx(outcome.validation_loss, rel=1e-5)


def test_what_a_full_disk_refused_is_written_when_there_is_room_again(make_trainer, full_disk):
    recorder = Recorder()
    trainer = make_trainer(reporter=recorder)
    full_disk("step-", "best")
    recorder.sample = lambda text: full_disk() if len(recorder.validations) == 2 else None
    outcome = trainer.fit(write_sample=lambda model: "")
    assert trainer.checkpoints.load_newest()[1]["step"] == 12
    best = {"step": outcome.best_step, "loss": outcome.validation_loss}
    assert trainer.checkpoints.load_best()[1] == best


def test_the_history_has_one_json_object_a_validation(make_trainer):
    recorder = Recorder()
    trainer = make_trainer(reporter=recorder, max_steps=10)
    trainer.fit()
    lines = [json.loads(line) for line in trainer.history.path.read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 10]
    for line, validation in zip(lines, recorder.validations, strict=True):
        assert line == vars(validation)
        assert line["bits_per_character"] == pytest.approx(line["validation_loss"] / math.log(2))


def test_the_history_begins_with_a_speed_that_was_measured_or_none(make_trainer, monkeypatch):
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    recorder = Recorder()
    trainer = make_trainer(reporter=recorder, max_steps=3, validate_every=1)
    trainer.fit()
    first, *others = (validation.tokens_per_second for validation in recorder.validations)
    assert first is None  # the call that compiles
    assert min(others) > 0
    assert '"tokens_per_second": null' in trainer.history.path.read_text("utf-8").splitlines()[0]


def test_a_line_cut_short_by_a_kill_is_dropped_from_the_history(make_trainer):
    trainer = make_trainer(max_steps=4)
    trainer.fit()
    whole = trainer.history.path.read_text("utf-8")
    trainer.history.path.write_text(whole + whole[:20], "utf-8")
    trainer.history.rewind(4)
    assert trainer.history.path.read_text("utf-8") == whole


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_float32(
    make_trainer, architecture
):
    recorder = Recorder()
    trainer = make_trainer(
        reporter=recorder, model={"architecture": architecture}, mixed_precision=True, max_steps=30
    )
    assert trainer.model.compute_dtype == "bfloat16"
    trainer.fit()
    assert {v.dtype for v in trainer.model.trainable_variables} == {"float32"}
    assert recorder.validations[-1].validation_loss < recorder.validations[0].validation_loss


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
@pytest.mark.parametrize(("optimizer", "learning_rate"), [("adamw", 2e-2), ("muon", 0.05)])
def test_a_periodic_text_is_learned(make_trainer, architecture, optimizer, learning_rate):
    trainer = make_trainer(
        model={"architecture": architecture},
        optimizer=optimizer,
        learning_rate=learning_rate,
        max_steps=150,
        validate_every=150,
        text=np.tile(np.arange(3, 11, dtype=np.uint16), 60),
    )
    assert trainer.fit().validation_loss < 0.2  # guessing: 2.1


def test_a_compiled_step_computes_what_an_uncompiled_one_does(make_trainer):
    recorders = [Recorder(), Recorder()]
    for jit, recorder in zip((False, True), recorders, strict=True):
        make_trainer(
            str(jit), reporter=recorder, jit_compile=jit, validate_every=1, optimizer="adamw"
        ).fit()
    plain, compiled = (recorder.losses for recorder in recorders)
    np.testing.assert_allclose(compiled, plain, rtol=1e-4)
