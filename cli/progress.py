"""How training looks: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text
from textgen.cli.plan_text import describe_plan
from textgen.cli.screen import say, visible

from textgen.planning import Plan
from textgen.reporter import Progress as TrainingProgress
from textgen.reporter import Reporter, Validation

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_MOVES = 0.1
_REUSING = "The corpus has not changed: reusing the previous run's tokens"


def make_reporter() -> Any:
    """Return a progress bar if standard error is a terminal that can show one, else plain lines."""
    console = Console(stderr=True)
    # A dumb terminal cannot return to the beginning of a line.
    has_bar = console.is_terminal and not console.is_dumb_terminal
    return BarReporter(console) if has_bar else PlainReporter()


class PlainReporter(Reporter):
    """Prints a line per validation, and one every few seconds in between."""

    def __init__(self) -> None:
        self._printed_at = time.monotonic()
        self._phase = "starting"

    def __enter__(self) -> PlainReporter:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def phase(self, name: str) -> None:
        """Print the phases that take time even with a small corpus."""
        self._phase = name
        if name in ("reading", "teaching", "compiling", "exporting"):
            say(f"{name} ...")
        elif name == "reusing":
            say(_REUSING)

    def planned(self, plan: Plan) -> None:
        """Print the plan."""
        say(describe_plan(plan))

    def bytes_done(self, done: int, total: int | None) -> None:
        """Print how much of a long corpus is done, every few seconds."""
        if time.monotonic() - self._printed_at >= _SECONDS_BETWEEN_LINES:
            self._printed_at = time.monotonic()
            say(f"{self._phase} {_amount(done, total)}")

    def progress(self, progress: TrainingProgress) -> None:
        """Print the progress of the run, every few seconds."""
        if time.monotonic() - self._printed_at < _SECONDS_BETWEEN_LINES:
            return
        if not math.isfinite(progress.seconds_left):  # the first call only compiled
            return
        self._printed_at = time.monotonic()
        say(
            f"step {progress.step:,}/{progress.max_steps:,}  loss {progress.loss:.3f}  "
            f"{_rate(progress)}  {_clock(progress.seconds_left)} left"
        )

    def validation(self, validation: Validation) -> None:
        """Print how good the model is."""
        self._printed_at = time.monotonic()
        say(_describe(validation))

    def sample(self, text: str) -> None:
        """Print what the model generates, on one line."""
        say(f"  | {_one_line(text)}")


class BarReporter(Reporter):
    """Shows a progress bar next to its figures; validations and samples scroll above it."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            console=console,
            expand=True,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None, figures="")
        self._moved_at = 0.0
        self._validation = ""

    def __enter__(self) -> BarReporter:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def phase(self, name: str) -> None:
        """Name the phase. Training and validating share one bar."""
        if name == "reusing":
            self._bar.console.print(_REUSING, highlight=False)
        elif name in ("training", "validating"):
            self._bar.update(self._task, description=name)
        else:
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(name, total=None, figures="")

    def planned(self, plan: Plan) -> None:
        """Print the plan above the bar."""
        self._bar.console.print(escape(describe_plan(plan)), highlight=False)

    def bytes_done(self, done: int, total: int | None) -> None:
        """Move the bar, but not for every one of many small files."""
        if done == total or time.monotonic() - self._moved_at >= _SECONDS_BETWEEN_MOVES:
            self._moved_at = time.monotonic()
            figures = _amount(done, total)
            self._bar.update(self._task, total=total, completed=done, figures=figures)

    def progress(self, progress: TrainingProgress) -> None:
        """Move the bar."""
        # On a narrow terminal, the time left is the last column to be dropped.
        parts = [
            f"{progress.step:,}/{progress.max_steps:,}",
            f"loss {progress.loss:.3f}",
            self._validation,
            _rate(progress),
            f"{_clock(progress.seconds_left)} left",
        ]
        room = self._bar.console.width - 24
        while sum(len(part) + 2 for part in parts) > room and len(parts) > 2:
            parts.pop(-2)
        figures = "  ".join(part for part in parts if part)
        self._bar.update(
            self._task, total=progress.max_steps, completed=progress.step, figures=figures
        )

    def validation(self, validation: Validation) -> None:
        """Print the validation above the bar."""
        self._validation = f"val {validation.validation_loss:.3f}"
        self._bar.console.print(escape(_describe(validation)), highlight=False)

    def sample(self, text: str) -> None:
        """Print what the model generates above the bar, dimmed."""
        line = Text(f"  | {_one_line(text)}", style="dim")
        self._bar.console.print(line, overflow="ellipsis", no_wrap=True)


def _describe(validation: Validation) -> str:
    # At step 0 nothing has been trained yet.
    trained = f"loss {validation.loss:.3f}, " if validation.step else ""
    judged = "validation" if validation.is_held_out else "its own text"
    is_best = validation.best and validation.is_held_out
    return (
        f"step {validation.step:,}: {trained}"
        f"{judged} {validation.validation_loss:.3f}, "
        f"{validation.bits_per_character:.3f} bits/char, "
        f"accuracy {validation.validation_accuracy:.1%}{'  (best)' if is_best else ''}"
    )


def _amount(done: int, total: int | None) -> str:
    size, unit = (1e6, "MB") if max(done, total or 0) >= 1e5 else (1e3, "kB")
    known = "" if total is None else f"/{total / size:,.1f}"
    return f"{done / size:,.1f}{known} {unit}"


def _rate(progress: TrainingProgress) -> str:
    return f"{progress.tokens_per_second:,.0f} tokens/s"


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
    )


def _one_line(text: str) -> str:
    return visible(text.replace("\n", " / "))
