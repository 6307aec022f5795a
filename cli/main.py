"""The `textgen` command: its subcommands, `--version`, and errors as one sentence."""

from __future__ import annotations

import importlib
import logging
import os
import re
import sys
from collections.abc import Iterable
from typing import Any

import click
from textgen.cli.flags import name_options
from textgen.cli.interrupt import end_interrupted, keep_interrupts
from textgen.cli.screen import say, visible

from textgen.errors import ConfigError, TextgenError, first_line
from textgen.version import __version__

# Every command: its function below textgen.cli, and its summary. A command is imported when it
# runs, so that --help and each command start without the others.
_COMMANDS = {
    "train": ("train.train", "Train a model on a corpus."),
    "generate": ("generate.generate", "Continue a prompt with a trained model."),
    "chat": ("chat.chat", "Chat with a model that has a chat template."),
    "score": ("score.score", "Measure how likely a model finds a text."),
    "classify": ("classify.classify", "Find the label that texts fit best."),
    "evaluate": ("evaluate.evaluate", "Measure models on a text, and compare them."),
    "inspect": ("inspect.inspect", "Check a corpus before training."),
    "report": ("report.report", "Write a page about a model."),
    "curve": ("curve.curve", "Draw the loss of a training run."),
    "trace": ("trace.trace", "Mark what a text has copied from a model's corpus."),
    "list": ("models.list_models", "List models, newest first."),
    "info": ("models.info", "Show what a model is and how good it is."),
    "delete": ("models.delete", "Delete a model, or one version."),
    "rename": ("models.rename", "Rename a model."),
    "serve": ("serve.serve", "Serve models over HTTP, with a page to write on."),
    "import": ("import_model.import_model", "Import a published model."),
    "export": ("export.export", "Publish a model, or check that a server can run it."),
    "demo": ("demo.demo", "Train a small model on text that comes with Python."),
    "completion": ("completion.completion", "Print a shell's completion script."),
}


# An option in a help text, and a hyphen at which no line breaks.
_OPTION, _HYPHEN = re.compile(r"--[a-z]+(-[a-z]+)+"), "\u2011"


class _Failure(click.ClickException):
    """An error that is not the command's fault. Names in it may contain control characters."""

    def format_message(self) -> str:
        return visible(self.message, keep="\n")


class _WrongCommand(_Failure):
    """A mistake in the command itself."""

    exit_code = 2


class _HelpFormatter(click.HelpFormatter):
    """Breaks no line within an option: `--max-steps` stays whole."""

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        whole = [(names, _OPTION.sub(_keep_whole, help)) for names, help in rows]
        super().write_dl(whole, col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(_HYPHEN, "-")


def _keep_whole(option: re.Match[str]) -> str:
    return option[0].replace("-", _HYPHEN)


class _Context(click.Context):
    formatter_class = _HelpFormatter


class _Commands(click.Group):
    """Reports every expected error as one sentence; `--debug` shows the traceback."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, function = _COMMANDS[cmd_name][0].partition(".")
        command = getattr(importlib.import_module(f"textgen.cli.{module}"), function)
        command.context_class = _Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0].lower(), _COMMANDS, n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click reports these; the last is a closed pipe (`| head`)
        except KeyboardInterrupt as interrupt:
            if ctx.params.get("debug"):
                raise
            end_interrupted()
            say("\nInterrupted.")
            raise click.exceptions.Exit(130) from interrupt
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise _failure(error, command) from error


def _failure(error: Exception, command: click.Command | None = None) -> _Failure:
    """Return what to print of an error, and the exit status.

    Args:
        error: The error.
        command: The command that met it, whose options its message should name.
    """
    if isinstance(error, TextgenError):
        message = name_options(str(error), command) if command else str(error)
        return _WrongCommand(message) if isinstance(error, ConfigError) else _Failure(message)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename2 or error.filename}: " if error.filename else ""
        return _Failure(f"{where}{error.strerror}.")
    if isinstance(error, MemoryError):
        return _Failure("Out of memory. Try a smaller model, batch or corpus.")
    if isinstance(error, OSError):
        return _Failure(str(error))
    return _Failure(
        f"This should not happen: {type(error).__name__}: {first_line(error)} "
        "Please report it with the output of `textgen --debug ...`."
    )


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    click.echo(f"textgen {__version__}")
    for name, package in (("TensorFlow", "tensorflow"), ("Keras", "keras")):
        try:
            click.echo(f"{name} {version(package)}")
        except PackageNotFoundError:
            click.echo(f"{name} is not installed")
    ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of textgen, TensorFlow and Keras, and exit.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors, and log messages.")
def cli(debug: bool) -> None:
    """Train a text generator on your own corpus, and generate text with it.

    \b
    textgen train corpus.txt
    textgen generate "Once upon a time"
    """
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="%(message)s" if not debug else "%(name)s: %(message)s",
        handlers=[_EchoHandler()],
    )
    # These libraries log warnings that a user can do nothing about.
    for name in ("tensorflow", "absl", "keras", "h5py", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not debug:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class _EchoHandler(logging.Handler):
    """Prints the library's warnings like the command's own."""

    def emit(self, record: logging.LogRecord) -> None:
        say(visible(f"{record.levelname.capitalize()}: {self.format(record)}", keep="\n"))


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks becomes "?" instead of an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.stdout is None:
        say("Error: Standard output is closed.")
        sys.exit(1)
    keep_interrupts()
    try:
        cli(prog_name="textgen")
    except OSError as error:  # from --help and --version, which run outside `invoke`
        _failure(error).show()
        sys.exit(1)
