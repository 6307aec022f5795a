"""`textgen train`: from text files to a SavedModel."""

from __future__ import annotations

import glob
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.interrupt import on_interrupt
from textgen.cli.screen import say
from textgen.cli.settings import PLANNED, given_settings, run_config, run_options

from textgen.catalog import MODELS_VARIABLE, Catalog, check_name
from textgen.errors import ConfigError

if TYPE_CHECKING:
    from textgen.pipeline import Trained


@click.command()
@click.argument("corpus", nargs=-1, metavar="CORPUS...")
@click.option("--name", help="Of the model.  [default: the corpus file's stem]")
@click.option(
    "--time-budget",
    type=options.Duration(),
    metavar="TIME",
    help="Plan a run of about so long, 90s, 10m or 1h.  [default: 5m; with a GPU 10m]",
)
@click.option("--dry-run", is_flag=True, help="Only say what the plan is.")
@run_options
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of the model's run.")
@click.option("--tensorboard", is_flag=True, help="Also write TensorBoard's event files.")
@options.models_dir
@click.pass_context
def train(
    ctx: click.Context,
    corpus: tuple[str, ...],
    name: str | None,
    time_budget: float | None,
    dry_run: bool,
    resume: bool,
    tensorboard: bool,
    models_dir: str | None,
    **settings: Any,
) -> None:
    """Train a model on CORPUS: files, folders, globs, or - for standard input.

    Plans size and length of the run by corpus, machine and time; what is set by an
    option is kept. Writes the next version of the model, a SavedModel, to
    saved_models/NAME. Ctrl-C stops early and still exports the best model so far.
    """
    started = time.monotonic()
    if not corpus and not (resume and name):
        raise click.UsageError("Name a corpus to train on: textgen train corpus.txt")
    is_planned = not resume and settings["strategy"] != "multi-worker"
    if (time_budget is not None or dry_run) and not is_planned:
        raise click.UsageError(
            "--time-budget and --dry-run are for new runs, and not for several workers: "
            "leave out --resume and --strategy multi-worker."
        )
    name = default_name(corpus[0]) if name is None else check_name(name)
    config = run_config(settings)
    given = given_settings(ctx, settings)
    from textgen.corpus import find_files

    # Before anything slow: whoever mistyped a name should know at once.
    if corpus:
        find_files(corpus, encoding=config.corpus.encoding, leave_out=Catalog(models_dir).folder)
    load_tensorflow()
    from textgen.cli.progress import make_reporter

    from textgen import pipeline
    from textgen.planning import Planning

    planning = Planning(PLANNED & given.keys(), time_budget, started) if is_planned else None
    if dry_run:
        with make_reporter() as reporter:
            plan = pipeline.plan(
                corpus, name, config, models_dir, planning=planning, reporter=reporter
            )
        click.echo(plan)
        return
    with stop_on_interrupt() as should_stop, make_reporter() as reporter:
        shared = {"tensorboard": tensorboard, "reporter": reporter, "should_stop": should_stop}
        if resume:
            trained = pipeline.resume(name, given, corpus, models_dir, **shared)
        else:
            trained = pipeline.train(corpus, name, config, models_dir, planning=planning, **shared)
    report(trained, models_dir)


def report(trained: Trained, models_dir: str | None) -> None:
    """Say what came out and what to do with it.

    Args:
        trained: what came out.
        models_dir: the option.
    """
    outcome = trained.outcome
    if trained.path is None:
        return
    reason = {
        "max_steps": "",
        "patience": " (stopped: no gain in validation)",
        "interrupt": " (stopped by Ctrl-C; --resume goes on)",
        "time_budget": " (stopped: the time is over; --resume goes on)",
    }[outcome.ended_by]
    say(
        f"{trained.name}: validation loss {outcome.validation_loss:.3f} after "
        f"{outcome.step:,} steps{reason}. Saved in {trained.path}"
    )
    where = ""
    if models_dir is not None and models_dir != os.environ.get(MODELS_VARIABLE):
        where = f" --models-dir {shlex.quote(models_dir)}"
    say(f'Try: textgen generate -m {shlex.quote(trained.name)}{where} "..."')


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Make the first Ctrl-C a wish to stop; the second one ends the program.

    Yields:
        A function that tells whether there was one. Before it is asked for the first time
        there is nothing to be saved, and the first Ctrl-C ends the program, too.
    """
    stopped = asked = False

    def should_stop() -> bool:
        nonlocal asked
        asked = True
        return stopped

    def handle(signum: int, frame: object) -> None:
        nonlocal stopped
        if stopped or not asked:
            raise KeyboardInterrupt
        stopped = True
        say("Stopping: exporting the best so far. Ctrl-C again quits at once.")

    with on_interrupt(handle):
        yield should_stop


def load_tensorflow() -> None:
    """Import TensorFlow without its greetings."""
    from textgen.runtime.banner import hidden_banner

    with hidden_banner(int(os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0"))):
        import tensorflow  # noqa: F401


def default_name(path: str) -> str:
    """Return the name of a model whose corpus begins with a path."""
    if path == "-":
        return "stdin"
    # Not resolved: whoever names a link means its name.
    absolute = Path(os.path.abspath(path))
    # A glob is no name; the folder it looks into is.
    if glob.has_magic(absolute.name) and not absolute.exists():
        absolute = absolute.parent
    stem = Path(absolute.name.removesuffix(".gz")).stem or "corpus"
    try:
        return check_name(stem)
    except ConfigError as error:
        raise ConfigError(f"{error}; give it another one with --name.") from error
