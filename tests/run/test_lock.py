"""Who has the lock writes the model's folder; others are told at once."""

import fcntl
import signal
import subprocess
import sys

import pytest

import textgen
from tests.waiting import PATIENCE
from textgen.errors import CheckpointError, ModelBusyError
from textgen.run import ModelRuns, RunLock

BUSY = "Another run of the model 'mine' is in progress in .*mine. Wait for it to end"

HOLD = """
import sys, time
from pathlib import Path
from textgen.run import ModelRuns, RunLock
lock = RunLock(ModelRuns(Path(sys.argv[1])))
lock.acquire()
print("locked", flush=True)
time.sleep(600)
"""


@pytest.fixture
def held(tmp_path):
    """A process that has the lock of the model."""
    command = [sys.executable, "-c", HOLD, tmp_path / "mine"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def contents(folder):
    """Every file below a folder, and what is in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files}


def test_a_lock_is_had_once_until_it_is_released(tmp_path):
    with RunLock(ModelRuns(tmp_path / "mine")) as first:
        first.acquire()
        first.acquire()
        with (
            RunLock(ModelRuns(tmp_path / "mine")) as second,
            pytest.raises(ModelBusyError, match=BUSY),
        ):
            second.acquire()
        with RunLock(ModelRuns(tmp_path / "other")) as other:
            other.acquire()
    with RunLock(ModelRuns(tmp_path / "mine")) as third:
        third.acquire()


def test_nothing_is_left_of_a_lock(tmp_path):
    (tmp_path / "old" / "1").mkdir(parents=True)
    for name in ("new", "old"):
        with RunLock(ModelRuns(tmp_path / name)) as lock:
            lock.acquire()
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "1"]
    with RunLock(ModelRuns(tmp_path / "new")):
        pass
    assert not (tmp_path / "new").exists()


def test_a_process_that_is_killed_leaves_the_model_free(held, tmp_path):
    with RunLock(ModelRuns(tmp_path / "mine")) as lock:
        with pytest.raises(ModelBusyError, match=BUSY):
            lock.acquire()
        held.send_signal(signal.SIGKILL)
        held.wait(timeout=PATIENCE)
        assert (tmp_path / "mine" / "train.lock").exists()
        lock.acquire()


def test_a_second_run_of_a_name_fails_and_touches_nothing(begin, corpus, config, tmp_path):
    begin()
    before = contents(tmp_path)
    with RunLock(ModelRuns(tmp_path / "mine")) as lock:
        lock.acquire()
        with pytest.raises(ModelBusyError, match=BUSY):
            textgen.train([corpus], "mine", config, tmp_path)
        with pytest.raises(ModelBusyError, match=BUSY):
            textgen.resume([corpus], "mine", models_dir=tmp_path)
        assert contents(tmp_path) == before | {tmp_path / "mine" / "train.lock": b""}
        # Another name, and what only reads, are free to go on.
        textgen.plan([corpus], "mine", config, tmp_path)
        with pytest.raises(CheckpointError, match="no run to resume"):
            textgen.resume([], "other", models_dir=tmp_path)
    assert contents(tmp_path) == before


def test_the_lock_is_held_from_reading_to_exporting(corpus, config, tmp_path):
    free = {}

    class Prober(textgen.Reporter):
        def phase(self, name):
            try:
                with RunLock(ModelRuns(tmp_path / "mine")) as lock:
                    lock.acquire()
                    free[name] = True
            except ModelBusyError:
                free[name] = False
            if name == "exporting":
                raise KeyboardInterrupt  # which would take seconds

    training = textgen.TrainingConfig(max_steps=1, batch_size=4, jit_compile=False)
    once = textgen.RunConfig(config.corpus, config.model, training)
    with pytest.raises(KeyboardInterrupt):
        textgen.train([corpus], "mine", once, tmp_path, reporter=Prober())
    assert {"reading", "encoding", "exporting"} <= free.keys()
    assert not any(free.values())
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["train"]


def test_a_model_in_training_is_no_other_model_or_version(held, tmp_path):
    catalog = textgen.Catalog(tmp_path)
    assert catalog.entries() == []
    assert catalog.add_version("mine", lambda folder: None).name == "1"


def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, caplog):
    def refuse(*arguments):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with RunLock(ModelRuns(tmp_path / "mine")) as lock:
        lock.acquire()
    assert "cannot lock files (Function not implemented)" in caplog.text
