"""`textgen curve` and `textgen report`."""

import json

import pytest
from textgen.cli.curve import draw_curve

from textgen.report import read_history
from textgen.run import RunFolder


def test_the_curve_of_a_run_is_drawn(run, models):
    result = run("curve", "fox", "--models-dir", models)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("fox: loss in nats per token by step\n")
    assert "●" in result.stdout
    assert "best" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("width", [1, 40, 100])
def test_any_history_fits_any_terminal(width):
    histories = [
        [{"step": 0, "loss": 2.0, "validation_loss": 2.0}],
        [{"step": s, "loss": 9 / s, "validation_loss": 10 / s} for s in range(1, 500)],
    ]
    for history in histories:
        lines = draw_curve(history, width)
        assert max(map(len, lines)) <= max(width, 19)


def test_damaged_lines_of_a_history_are_skipped(tmp_path):
    folder = RunFolder(tmp_path)
    sound = b'{"step": 3, "loss": 2, "validation_loss": 1.5}'
    damaged = [
        *(b"", b"7", b"[" * 100_000, b"\xff", b'{"step": "3", "loss": 2, "validation_loss": 1}'),
        b'{"step": %s, "loss": 2, "validation_loss": 1}' % (b"9" * 400),
        *(
            b'{"step": %s, "loss": %s, "validation_loss": 1}' % values
            for values in ((b"-3", b"2"), (b"3", b"NaN"), (b"3", b"1e999"), (b"3", b"[]"))
        ),
    ]
    folder.history.write_bytes(b"\n".join([*damaged, sound]))
    assert read_history(folder) == [json.loads(sound)]


@pytest.mark.parametrize("command", ["curve", "report"])
def test_a_model_that_does_not_exist_is_one_sentence(run, models, command):
    result = run(command, "wolf", "--models-dir", models)
    assert result.exit_code == 1
    assert "Models there: fox" in result.stderr


def test_a_report_has_the_name_of_its_model(run, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("report", "fox", "--models-dir", models)
    assert result.exit_code == 0, result.output
    assert "Saved in fox.html" in result.stderr
    assert (tmp_path / "fox.html").stat().st_size < 3_000_000
