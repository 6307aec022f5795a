"""`textgen train`: from text files to a SavedModel."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.interrupt import on_interrupt
from textgen.cli.screen import say
from textgen.cli.settings import given_options, on_machine, run_options, tuning, validating

from textgen.catalog import check_name
from textgen.errors import ConfigError

if TYPE_CHECKING:
    from textgen.pipeline import Trained
    from textgen.training.result import TrainingResult

_REASONS = {
    "max_steps": "",
    "patience": " (stopped: validation no longer improves)",
    "interrupt": " (stopped by Ctrl-C; --resume continues)",
    "time_budget": " (the time is up; --resume --time-budget 2m continues)",
}


@click.command(cls=options.SectionedCommand)
@click.argument("corpus", nargs=-1, metavar="CORPUS...")
@click.option("--name", help="The model's name.  [default: the corpus file's stem]")
@click.option(
    "--time-budget",
    type=options.Duration(),
    metavar="TIME",
    help="Time until the model is saved: 90s, 10m or 1h.  [default: 5m, or 10m with a GPU]",
)
@click.option(
    "--from",
    "from_model",
    metavar="MODEL",
    help="Begin from a model: its name, NAME/VERSION, or a SavedModel's folder.",
)
@click.option("--resume", is_flag=True, help="Continue the model's run from its last checkpoint.")
@click.option("--dry-run", is_flag=True, help="Print the plan and exit.")
@run_options
@validating(
    "--validation",
    multiple=True,
    metavar="FILE",
    help="Validate with FILE, instead of the end of CORPUS. May be repeated.",
)
@validating(
    "--test",
    multiple=True,
    metavar="FILE",
    help="Test the finished model with FILE, and keep the loss in its card. May be repeated.",
)
@tuning(
    "--replay",
    multiple=True,
    metavar="FILE[:FRACTION]",
    help="Mix in older text, so that the model forgets less.  [default fraction: 0.1]",
)
@on_machine("--tensorboard", is_flag=True, help="Also write TensorBoard's event files.")
@options.models_dir
@click.pass_context
def train(
    ctx: click.Context,
    corpus: tuple[str, ...],
    name: str | None,
    time_budget: float | None,
    from_model: str | None,
    replay: tuple[str, ...],
    validation: tuple[str, ...],
    test: tuple[str, ...],
    dry_run: bool,
    resume: bool,
    tensorboard: bool,
    models_dir: str | None,
    **settings: Any,
) -> None:
    """Train a model on CORPUS: files, folders, globs, or - for standard input.

    Plans the size of the model and the length of the run for the corpus, this machine and
    the time. Options that you set are kept. Writes the next version of the model, a SavedModel, to
    saved_models/NAME. Ctrl-C stops early and still exports the best model so far.
    """
    started = time.monotonic()
    if not corpus and not (resume and name):
        raise click.UsageError("Name a corpus to train on: textgen train corpus.txt")
    if (time_budget is not None or dry_run) and settings["strategy"] == "multi-worker":
        raise click.UsageError(
            "--time-budget and --dry-run cannot be combined with --strategy multi-worker."
        )
    if dry_run and resume:
        raise click.UsageError("--dry-run cannot be combined with --resume.")
    name = default_name(corpus[0]) if name is None else check_name(name)
    given = given_options(ctx, settings)
    if from_model is not None:
        given["from_model"] = from_model
    older, fraction = replayed(replay)
    if fraction is not None:
        given["replay_fraction"] = fraction
    from textgen.cli.plan_text import describe_plan
    from textgen.cli.progress import make_reporter

    from textgen import pipeline

    asked: dict[str, Any] = {
        "time_budget": time_budget,
        "started": started,
        "validation": validation,
        "test": test,
        "replay": older,
    }
    if dry_run:
        with make_reporter() as reporter:
            plan = pipeline.plan(
                corpus, name, None, models_dir, **asked, reporter=reporter, **given
            )
        click.echo(describe_plan(plan))
        return
    with stop_on_interrupt() as should_stop, make_reporter() as reporter:
        watched: dict[str, Any] = {
            "tensorboard": tensorboard,
            "reporter": reporter,
            "should_stop": should_stop,
        }
        if resume:
            trained = pipeline.resume(corpus, name, None, models_dir, **asked, **watched, **given)
        else:
            trained = pipeline.train(corpus, name, None, models_dir, **asked, **watched, **given)
    report(trained, models_dir)


def report(trained: Trained, models_dir: str | None) -> None:
    """Print what training produced, and what to do with it.

    Args:
        trained: What training produced.
        models_dir: The value of --models-dir.
    """
    result = trained.result
    if trained.path is None:
        return
    loss = "validation loss" if result.is_validated else "loss on its own text"
    say(
        f"{trained.name}: {loss} {result.validation_loss:.3f} after "
        f"{result.step:,} steps{_REASONS[result.ended_by]}. Saved in {trained.path}"
    )
    if result.trained_fraction < 1:
        say(f"Trained {result.trained_fraction:.2%} of the weights.")
    if result.initial_loss is not None:
        say(f"Before training, the {loss} was {result.initial_loss:.3f}.")
    if result.test_loss is not None:
        say(f"The loss on the test part is {result.test_loss:.3f}.")
    if kept := _describe_kept(result):
        say(kept)
    say(f'Try: textgen generate {options.choosing(trained.name, models_dir)} "..."')


def _describe_kept(result: TrainingResult) -> str:
    """Return which step was kept and why, if that needs to be said."""
    if not result.is_validated:
        return (
            "No part of the corpus was kept for validation, so the model trained on all of it and "
            "the last step was kept. A tenth is kept from 2,000 characters on, or 1,000 rows with "
            "prompts."
        )
    if result.best_step < result.step:
        return (
            f"Kept step {result.best_step:,} of {result.step:,}, the best in validation: later "
            "steps only memorized the text. More text, more --dropout or fewer steps may help."
        )
    return ""


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], str | None]]:
    """Make the first Ctrl-C a request to stop; the second one ends the program.

    Yields:
        A function that returns `"interrupt"` after a Ctrl-C, else `None`. Until its first call
        there is nothing to save, and the first Ctrl-C ends the program, too.
    """
    stopped = asked = False

    def should_stop() -> str | None:
        nonlocal asked
        asked = True
        return "interrupt" if stopped else None

    def handle(signum: int, frame: object) -> None:
        nonlocal stopped
        if stopped or not asked:
            raise KeyboardInterrupt
        stopped = True
        say("Stopping: exporting the best model so far. Ctrl-C again quits immediately.")

    with on_interrupt(handle):
        yield should_stop


def replayed(values: tuple[str, ...]) -> tuple[list[str], float | None]:
    """Return the files of --replay, and the fraction if one is given.

    Args:
        values: The option's values, such as `old.txt:0.1`.
    """
    paths, fractions = [], set()
    for value in values:
        path, colon, fraction = value.rpartition(":")
        try:
            fractions.add(float(fraction))
        except ValueError:
            path, colon = value, ""
        paths.append(path if colon else value)
    if len(fractions) > 1:
        raise click.UsageError("All files of --replay share one fraction.")
    return paths, fractions.pop() if fractions else None


def default_name(path: str) -> str:
    """Return the name of a model whose corpus begins with a path."""
    if path == "-":
        return "stdin"
    # Not resolved: a link's own name is meant, not its target's.
    absolute = Path(os.path.abspath(path))
    # A glob is no name, but the folder it searches has one.
    if glob.has_magic(absolute.name) and not absolute.exists():
        absolute = absolute.parent
    stem = Path(absolute.name.removesuffix(".gz")).stem or "corpus"
    try:
        return check_name(stem)
    except ConfigError as error:
        raise ConfigError(f"{error}; name the model with --name.") from error
