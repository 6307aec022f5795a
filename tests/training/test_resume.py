"""A run that was interrupted ends as if it had not been."""

import json
import random
import time

import numpy as np
import pytest

import textgen
from tests.waiting import PATIENCE, wait_until
from textgen.errors import CheckpointError
from textgen.training import clock
from textgen.training.checkpoints import Checkpoints

COMBINATIONS = [
    *((a, o, 6) for a in ("lstm", "transformer") for o in ("adamw", "muon")),
    ("transformer", "muon", 4),  # when a validation is due; at step 6 none is
]


def stop_after(calls):
    """Return a reason to stop at the `calls`-th call."""
    remaining = iter([None] * (calls - 1) + ["interrupt"])
    return lambda: next(remaining)


@pytest.mark.parametrize(("architecture", "optimizer", "stop_at"), COMBINATIONS)
def test_a_stopped_and_resumed_run_ends_like_an_uninterrupted_one(
    make_trainer, monkeypatch, read_history, assert_same_arrays, architecture, optimizer, stop_at
):
    settings = {
        "model": {"architecture": architecture, "dropout": 0.3},
        "optimizer": optimizer,
        "seed": 5,
    }
    whole = make_trainer("whole", **settings)
    outcome = whole.fit()

    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    stopped = make_trainer("pieces", **settings).fit(should_stop=stop_after(stop_at))
    assert (stopped.ended_by, stopped.step) == ("interrupt", stop_at)
    resumed = make_trainer("pieces", **settings)
    assert resumed.checkpoints.load_newest()[1]["step"] == stop_at
    ended = resumed.fit(resume=True)

    weights = (dict(enumerate(t.model.get_weights())) for t in (resumed, whole))
    assert_same_arrays(*weights)
    newest, expected = (t.checkpoints.load_newest() for t in (resumed, whole))
    assert_same_arrays(newest[0], expected[0])
    assert newest[1] == expected[1]
    assert read_history(resumed.history.path) == read_history(whole.history.path)
    assert (ended.best_step, ended.validation_loss) == (outcome.best_step, outcome.validation_loss)


def test_how_many_steps_per_call_holds_leaves_no_trace(
    make_trainer, monkeypatch, read_history, assert_same_arrays
):
    runs = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(clock, "_SECONDS_PER_CALL", seconds)
        runs.append(make_trainer(str(seconds), model={"dropout": 0.3}))
        runs[-1].fit()
    assert_same_arrays(*(run.checkpoints.load_newest()[0] for run in runs))
    first, second = (read_history(run.history.path) for run in runs)
    assert first == second


def test_a_checkpoint_from_before_the_last_validation_is_enough(
    make_trainer, read_history, assert_same_arrays
):
    whole = make_trainer("whole", model={"dropout": 0.3})
    whole.fit()
    damaged = make_trainer("damaged", model={"dropout": 0.3})
    damaged.fit()
    newest = max(damaged.checkpoints.folder.glob("step-*.npz"))
    newest.write_bytes(newest.read_bytes()[:100])
    resumed = make_trainer("damaged", model={"dropout": 0.3})
    resumed.fit(resume=True)
    assert_same_arrays(*(run.checkpoints.load_newest()[0] for run in (whole, resumed)))
    assert read_history(resumed.history.path) == read_history(whole.history.path)


def test_best_weights_newer_than_the_checkpoint_are_called_what_they_are(make_trainer, monkeypatch):
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    trainer = make_trainer()
    best = trainer.fit(should_stop=stop_after(8))
    assert best.best_step == 8
    # As if a kill had come between the best weights and the checkpoint.
    max(trainer.checkpoints.folder.glob("step-*.npz")).unlink()
    # A rate far too high: the step after the checkpoint is worse.
    outcome = make_trainer(learning_rate=3.0).fit(resume=True, should_stop=stop_after(1))
    assert (outcome.step, outcome.best_step) == (5, 8)
    assert outcome.validation_loss == best.validation_loss
    for found, wanted in zip(outcome.model.get_weights(), best.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


# A rate far too high: after the first validations it only gets worse.
IMPATIENT = {
    "learning_rate": 3.0,
    "warmup_steps": 1,
    "optimizer": "adamw",
    "max_steps": 60,
    "validate_every": 2,
    "patience": 2,
}


@pytest.mark.parametrize(("settings", "reason"), [({}, "max_steps"), (IMPATIENT, "patience")])
def test_a_run_that_ended_but_was_not_exported_takes_no_step_more(
    make_trainer, read_history, settings, reason
):
    ended = make_trainer(**settings)
    outcome = ended.fit()
    history = read_history(ended.history.path)
    resumed = make_trainer(**settings)
    again = resumed.fit(resume=True)
    assert again.ended_by == outcome.ended_by == reason
    assert (again.step, again.best_step) == (outcome.step, outcome.best_step)
    assert again.validation_loss == outcome.validation_loss
    for found, wanted in zip(again.model.get_weights(), outcome.model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert read_history(resumed.history.path) == history


def test_a_run_that_has_ended_and_is_exported_cannot_be_resumed(make_trainer):
    make_trainer(max_steps=2).fit()
    with pytest.raises(CheckpointError, match=r"already ended at step 2 .*max_steps"):
        make_trainer(max_steps=2).fit(resume=True, exported_step=2)
    assert make_trainer(max_steps=3).fit(resume=True, exported_step=2).step == 3


def test_a_run_that_patience_ended_goes_on_with_more_of_it(make_trainer):
    ended = make_trainer(**IMPATIENT).fit()
    longer = make_trainer(**{**IMPATIENT, "patience": 4})
    assert longer.fit(resume=True).step >= ended.step + 4


def test_an_interrupt_where_the_run_ends_anyway_is_none(make_trainer, monkeypatch):
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    step = make_trainer(**IMPATIENT).fit().step
    outcome = make_trainer(**IMPATIENT).fit(should_stop=stop_after(step))
    assert (outcome.ended_by, outcome.step) == ("patience", step)


def test_fewer_steps_than_are_done_end_a_run_where_it_stands(make_trainer, monkeypatch):
    monkeypatch.setattr(clock, "_SECONDS_PER_CALL", 0.0)  # one step a call
    make_trainer().fit(should_stop=stop_after(6))
    trainer = make_trainer(max_steps=5)
    outcome = trainer.fit(resume=True)
    assert (outcome.ended_by, outcome.step) == ("max_steps", 6)
    lines = [json.loads(line) for line in trainer.history.path.open()]
    assert [line["step"] for line in lines] == [4, 6]


def test_a_checkpoint_of_another_shape_is_refused(make_trainer):
    make_trainer(max_steps=2).fit()
    with pytest.raises(CheckpointError, match="another shape"):
        make_trainer(max_steps=4, model={"hidden_dim": 8}).fit(resume=True)


KILLED = """
import json, sys
import textgen
from tests import light_runs
light_runs.without_samples()
corpus, models, config, resumed = sys.argv[1:]
if resumed == "yes":
    textgen.resume([], "mine", models_dir=models)
else:
    config = textgen.RunConfig.from_dict(json.loads(config))
    textgen.train([corpus], "mine", config, models)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_from_a_whole_checkpoint(
    tmp_path, fork_python, read_history, assert_same_arrays
):
    corpus, models = tmp_path / "corpus.txt", tmp_path / "models"
    corpus.write_text("The quick brown fox jumps over the lazy dog. " * 40, "utf-8")
    # A checkpoint every step, so that a kill often falls into the writing of one.
    config = textgen.RunConfig(
        model=textgen.ModelConfig(num_layers=1, num_heads=2, hidden_dim=16, context_length=8),
        training=textgen.TrainingConfig(
            max_steps=120, batch_size=4, validate_every=1, jit_compile=False
        ),
    )
    arguments = (corpus, models, json.dumps(config.to_dict()))
    # In a process of its own like the others: sums may differ in the last bit where
    # TensorFlow was set up otherwise, as loading a model for writing does (oneDNN).
    undisturbed = fork_python(KILLED, *arguments, "no")
    assert undisturbed.wait(PATIENCE) == 0

    generator = random.Random(0)
    folder = models / "mine" / "train"
    history = folder / "history.jsonl"
    for part in range(3):
        process = fork_python(KILLED, *arguments, "yes" if part else "no")

        def has_written(lines):
            return history.exists() and len(history.read_bytes().splitlines()) >= lines

        # Until the run before was put aside, its history stands where the new one's will.
        wait_until(lambda: (models / "mine" / "train.previous").exists(), process)
        wait_until(lambda part=part: has_written(10 + 30 * part), process)
        time.sleep(generator.uniform(0, 0.1))
        process.kill()
        assert process.wait(PATIENCE) == -9

        newest = max((folder / "checkpoints").glob("step-*.npz"))
        assert Checkpoints(folder / "checkpoints").load_newest()[1]["step"] == int(newest.stem[5:])
        with textgen.load("mine", models) as earlier:
            assert earlier.entry.version == 1
            assert len(earlier.generate("The ", seed=0, max_new_tokens=5).text) > 0

    ended = fork_python(KILLED, *arguments, "yes")
    assert ended.wait(PATIENCE) == 0
    assert textgen.Catalog(models).find("mine").version == 2
    previous = folder.with_name("train.previous")
    runs = [Checkpoints(run / "checkpoints") for run in (folder, previous)]
    assert_same_arrays(*(run.load_newest()[0] for run in runs))
    assert_same_arrays(*(run.load_best()[0] for run in runs))
    assert read_history(history) == read_history(previous / "history.jsonl")


KILLED_ANYWHERE = """
import os, signal, sys
from pathlib import Path
import numpy as np
import tensorflow as tf

from textgen.config import ModelConfig, TrainingConfig
from textgen.training import clock, loop
from textgen.training.checkpoints import Checkpoints
from textgen.training.history import History
from textgen.reporter import Reporter
from textgen.windows import cut_windows

folder, architecture, optimizer = Path(sys.argv[1]), *sys.argv[2:]
tokens = np.random.default_rng(0).integers(3, 11, 400)
clock._SECONDS_PER_CALL = 0.0  # one step a call
loop._SECONDS_BETWEEN_CHECKPOINTS = 0.0  # and a checkpoint after each
rename = os.replace


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class KillAfter(Reporter):
    def __init__(self, step):
        self.step = step

    def progress(self, progress):
        if progress.step == self.step:
            die()


def train(name, resume, kill_after, kill_writing):
    def replace(source, target):
        if target.name == kill_writing:
            die()
        rename(source, target)

    os.replace = replace
    config = TrainingConfig(max_steps=9, batch_size=4, validate_every=3, accumulate=2, seed=5,
                            optimizer=optimizer, jit_compile=False)
    loop.Trainer(
        ModelConfig(architecture, num_layers=1, num_heads=2, hidden_dim=16, context_length=8,
                    dropout=0.3),
        config, 11, cut_windows(tokens[:320], tokens[320:], config, 8),
        Checkpoints(folder / name), History(folder / f"{name}.jsonl"),
        tf.distribute.get_strategy(), reporter=KillAfter(kill_after),
    ).fit(resume)


def run(name, resume=True, kill_after=0, kill_writing=""):
    # So far TensorFlow is only imported; it starts its threads in the child alone.
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        train(name, resume, kill_after, kill_writing)
        os._exit(0)
    finally:
        os._exit(1)


print(
    run("whole", resume=False),
    run("pieces", resume=False, kill_after=3),
    run("pieces", kill_writing="step-00000006.npz"),
    run("pieces", kill_after=8),
    run("pieces"),
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(
    tmp_path, fork_python, read_history, assert_same_arrays, architecture, optimizer
):
    process = fork_python(KILLED_ANYWHERE, tmp_path, architecture, optimizer)
    output, errors = process.communicate(timeout=PATIENCE)
    assert output.split() == ["0", "-9", "-9", "-9", "0"], errors
    whole, pieces = (Checkpoints(tmp_path / name) for name in ("whole", "pieces"))
    assert_same_arrays(whole.load_newest()[0], pieces.load_newest()[0])
    assert whole.load_newest()[1] == pieces.load_newest()[1]
    assert_same_arrays(whole.load_best()[0], pieces.load_best()[0])
    assert read_history(tmp_path / "whole.jsonl") == read_history(tmp_path / "pieces.jsonl")


def test_a_run_without_a_checkpoint_begins_when_it_is_resumed(make_trainer, assert_same_arrays):
    whole = make_trainer("whole", seed=3)
    outcome = whole.fit()
    killed = make_trainer("killed", seed=3)
    # Killed right after the best weights of the first validation were written.
    killed.checkpoints.save_best({}, {"step": 4, "loss": 0.0})
    killed.history.path.write_text('{"step": 4}\n')
    resumed = make_trainer("killed", seed=3)
    ended = resumed.fit(resume=True)
    assert (ended.step, ended.best_step) == (outcome.step, outcome.best_step)
    assert_same_arrays(*(dict(enumerate(t.model.get_weights())) for t in (resumed, whole)))
    assert len(resumed.history.path.read_text().splitlines()) == 3


def test_a_run_whose_checkpoints_are_all_damaged_cannot_be_resumed(make_trainer):
    make_trainer(max_steps=4).fit()
    trainer = make_trainer(max_steps=8)
    for path in trainer.checkpoints.folder.glob("step-*.npz"):
        path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        trainer.fit(resume=True)
