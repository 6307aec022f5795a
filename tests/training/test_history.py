"""The history of a run: readable, cut back on resume, and in TensorBoard's format."""

import importlib.util
import json

import pytest
import tensorflow as tf

from tests.full_disk import no_file_longer_than
from textgen.errors import ConfigError
from textgen.reporter import Validation
from textgen.training.history import History


def validation(step, tokens_per_second=1000.0):
    return Validation(step, 2.0, 1.9, 2.7, 1e-3, tokens_per_second, best=True)


def test_every_validation_is_a_line_of_json(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.record(validation(10))
    history.record(validation(20))
    lines = [json.loads(line) for line in history.path.open()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["validation_loss"] == 1.9


def test_a_resumed_run_forgets_what_it_will_record_again(tmp_path):
    history = History(tmp_path / "history.jsonl")
    for step in (10, 20, 30):
        history.record(validation(step))
    with history.path.open("a") as file:
        file.write('{"step": 4')  # cut short by a kill
    history.rewind(20)
    assert [json.loads(line)["step"] for line in history.path.open()] == [10, 20]


@pytest.mark.parametrize("damage", [b"\xff\n", b'{"step": "x"}\n', b"[" * 100_000 + b"\n", b"\0"])
def test_a_damaged_line_is_forgotten(tmp_path, damage):
    history = History(tmp_path / "history.jsonl")
    history.record(validation(10))
    with history.path.open("ab") as file:
        file.write(damage)
    history.rewind(20)
    assert [json.loads(line)["step"] for line in history.path.open()] == [10]


def test_a_line_that_a_full_disk_cuts_short_is_taken_back(tmp_path):
    history = History(tmp_path / "history.jsonl")
    history.record(validation(10))
    before = history.path.read_bytes()
    with no_file_longer_than(len(before) + 10), pytest.raises(OSError, match="File too large"):
        history.record(validation(20))
    assert history.path.read_bytes() == before
    history.record(validation(30))
    assert [json.loads(line)["step"] for line in history.path.open()] == [10, 30]


def test_tensorboard_gets_event_files(tmp_path):
    history = History(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    history.record(validation(10))
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"validation_loss" in events.read_bytes()


def test_tensorboard_gets_no_speed_where_none_was_measured(tmp_path):
    history = History(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    history.record(validation(10, tokens_per_second=None))
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"learning_rate" in events.read_bytes()
    assert b"tokens_per_second" not in events.read_bytes()


def test_an_event_that_a_full_disk_cuts_short_spoils_no_later_one(tmp_path):
    history = History(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    history.record(validation(10))
    (events,) = (tmp_path / "tensorboard").iterdir()
    limit = no_file_longer_than(events.stat().st_size + 10)
    with limit, pytest.raises(OSError, match=r"File too large$"):
        history.record(validation(20))
    history.record(validation(30))
    assert [json.loads(line)["step"] for line in history.path.open()] == [10, 20, 30]
    newest = max((tmp_path / "tensorboard").iterdir())
    assert newest != events
    records = tf.data.TFRecordDataset(str(newest)).as_numpy_iterator()
    steps = {tf.compat.v1.Event.FromString(record).step for record in records}
    assert steps == {0, 30}  # 0: of the file's head


def test_tensorboard_s_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    history = History(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    with pytest.raises(OSError, match="tensorboard"):
        history.record(validation(10))


def test_without_the_package_tensorboard_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install"):
        History(tmp_path / "history.jsonl", tmp_path / "tensorboard")


def test_samples_have_a_file_of_their_own_and_are_forgotten_too(tmp_path):
    samples = tmp_path / "samples.jsonl"
    history = History(tmp_path / "history.jsonl", samples=samples)
    for step in (10, 20):
        history.record(validation(step))
        history.record_sample(step, f"text {step}\n")
    history.rewind(10)
    assert [json.loads(line) for line in samples.open()] == [{"step": 10, "text": "text 10\n"}]
    assert len(history.path.read_text().splitlines()) == 1
    History(tmp_path / "history.jsonl").record_sample(30, "nowhere")
    assert len(samples.read_text().splitlines()) == 1
