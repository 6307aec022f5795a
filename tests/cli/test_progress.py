"""How training looks, also on a narrow terminal."""

import dataclasses
import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from textgen.cli.progress import BarReporter, PlainReporter, make_reporter

from textgen.config import RunConfig
from textgen.planning import CorpusSize, Machine, make_plan
from textgen.reporter import Progress, Validation

PLAN = make_plan(
    RunConfig(),
    (),
    CorpusSize(10**6, 10**5, 10**6, 10**5, 70, 2.3),
    Machine("1 [CPU] core", 2e11),
    300,
)
VALIDATION = Validation(500, 1.9, 1.8123, 2.6, 0.01, 9000.0, best=True)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_bar_fits_and_keeps_step_and_time_left(width):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    with BarReporter(console) as reporter:
        reporter.planned(PLAN)
        reporter.phase("training")
        reporter.validation(VALIDATION)
        reporter.sample("one\ntwo\x07 [bold]three" * 20)
        reporter.progress(Progress(1000, 20_000, 1.75, 123_456.0, 754.0))
    lines = [line for line in stream.getvalue().replace("\r", "\n").split("\n") if "1,000/" in line]
    assert lines
    assert all("12:34 left" in line for line in lines)
    visible = [line.split("\x1b[2K")[-1] for line in lines]
    assert all(len(line.rstrip()) <= width for line in visible)
    assert "1.812" in stream.getvalue()
    assert "[bold]" in stream.getvalue()
    assert "on 1 [CPU] core" in stream.getvalue()
    assert "\x07" not in stream.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_reporter(), BarReporter)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(), PlainReporter)


@pytest.mark.parametrize("text", ["👩‍🚀 👍🏽", "क्‍ष", "می‌خواهم", "e\u0301"])
def test_a_sample_looks_like_the_text_it_was_learned_from(text, capsys):
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    with BarReporter(console) as reporter:
        reporter.sample(text)
    assert text in stream.getvalue()
    PlainReporter().sample(text)
    assert text in capsys.readouterr().err


def test_a_loss_on_what_was_learned_is_no_validation(capsys):
    PlainReporter().validation(dataclasses.replace(VALIDATION, is_held_out=False))
    assert capsys.readouterr().err == (
        "step 500: loss 1.900, its own text 1.812, 2.600 bits/char, accuracy 0.0%\n"
    )


class FullDisk(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_ends_no_run(monkeypatch):
    monkeypatch.setattr("sys.stderr", FullDisk())
    reporter = PlainReporter()
    reporter.phase("reading")
    reporter.planned(PLAN)
    reporter.validation(VALIDATION)
    reporter.sample("text")


def test_the_bar_shows_the_bytes_of_a_corpus():
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    with BarReporter(console) as reporter:
        reporter.phase("encoding")
        reporter.bytes_done(1_234_567_890, 1_234_567_890)
        reporter.phase("reusing")
    assert "encoding" in stream.getvalue()
    assert "1,234.6/1,234.6 MB" in stream.getvalue()
    assert "reusing the previous run's tokens" in stream.getvalue()


def test_the_bar_of_the_export_shows_no_figures_of_training_and_none_stays():
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    with BarReporter(console) as reporter:
        reporter.phase("learning")
        reporter.bytes_done(0, 20_000)
        reporter._bar.refresh()
        reporter.phase("training")
        reporter.progress(Progress(1000, 20_000, 1.75, 123_456.0, 754.0))
        reporter._bar.refresh()
        shown = len(stream.getvalue())
        reporter.phase("exporting")
        reporter._bar.refresh()
    assert "0.0/20.0 kB" in stream.getvalue()
    assert "exporting" in stream.getvalue()[shown:]
    assert "1,000/" not in stream.getvalue()[shown:]
    # The last bar is erased.
    assert stream.getvalue().rstrip().endswith("\x1b[2K")


def test_plain_lines_tell_of_the_bytes_of_a_long_corpus_now_and_then(monkeypatch, capsys):
    now = 0.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("textgen.cli.progress.time", clock)
    reporter = PlainReporter()
    reporter.phase("encoding")
    reporter.bytes_done(500_000, None)
    assert capsys.readouterr().err == ""
    now = 11.0
    reporter.bytes_done(1_000_000, None)
    reporter.bytes_done(1_500_000, 3_000_000)
    now = 22.0
    reporter.bytes_done(2_000_000, 3_000_000)
    reporter.phase("reusing")
    assert capsys.readouterr().err.splitlines() == [
        "encoding 1.0 MB",
        "encoding 2.0/3.0 MB",
        "The corpus has not changed: reusing the previous run's tokens",
    ]
