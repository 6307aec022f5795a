"""How training looks, also on a narrow terminal."""

import io

import pytest
from rich.console import Console
from textgen.cli.progress import BarReporter

from textgen.training.reporter import Progress, Validation

VALIDATION = Validation(500, 1.9, 1.8123, 2.6, 0.01, 9000.0, best=True)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_bar_fits_and_keeps_step_and_time_left(width):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    with BarReporter(console) as reporter:
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
    assert "\x07" not in stream.getvalue()
