"""`textgen evaluate`: measure models on a text, and compare them."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.screen import say, visible

from textgen.catalog import Catalog
from textgen.errors import ConfigError, CorpusError, ModelNotFoundError

if TYPE_CHECKING:
    from textgen.evaluation import Evaluation, Figure, ReferenceScores

_ROWS = (
    ("loss (nats per token)", "loss", ".3f"),
    ("perplexity", "perplexity", ".3f"),
    ("bits per character", "bits_per_character", ".3f"),
    ("bits per byte", "bits_per_byte", ".3f"),
    ("next-token accuracy", "accuracy", ".1%"),
    ("calibration error", "calibration_error", ".3f"),
    ("characters per second", "characters_per_second", ",.0f"),
)


@click.command()
@click.argument("models_or_files", nargs=-1, metavar="[NAME|FILE]...")
@click.option(
    "--part",
    type=click.Choice(["auto", "validation", "test"]),
    default="auto",
    show_default=True,
    help="Part of the first model's corpus to use if no FILE is named. auto: test, if it has one.",
)
@click.option(
    "--max-characters",
    type=int,
    default=1_000_000,
    show_default=True,
    help="Maximum number of characters to use.",
)
@click.option("--no-baselines", is_flag=True, help="Only measure the models.")
@click.option("--encoding", help="Text encoding of the files.  [default: as the corpus]")
@click.option("--text-column", metavar="NAME", help="CSV column or JSON key of the text in tables.")
@click.option(
    "--references",
    is_flag=True,
    help="Let the models answer the prompts in the files, and compare with the answers there.",
)
@click.option("--prompt-column", default="prompt", show_default=True, help="Column of the prompts.")
@click.option("--answer-column", default="answer", show_default=True, help="Column of the answers.")
@click.option(
    "--max-new-tokens", type=int, default=200, show_default=True, help="Length of an answer."
)
@click.option("--save", is_flag=True, help="Also append the result to NAME/evaluations.jsonl.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@options.models_dir
def evaluate(
    models_or_files: tuple[str, ...],
    part: Any,
    max_characters: int,
    no_baselines: bool,
    encoding: str | None,
    text_column: str | None,
    references: bool,
    prompt_column: str,
    answer_column: str,
    max_new_tokens: int,
    save: bool,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Measure how good models are on a text, and which is better.

    An argument that is not the name of a model is a FILE; it may also be a folder, a glob or a
    table. Without a FILE, the text is the part of the first model's corpus that it was not
    trained on. Every figure comes with a 95 % interval.

    \b
    textgen evaluate                        the newest model
    textgen evaluate mine yours             two models on the same text
    textgen evaluate mine letters.txt       on another text
    """
    names, files = _sort(models_or_files, Catalog(models_dir))
    if references:
        _evaluate_references(
            names, files, models_dir, (prompt_column, answer_column), max_new_tokens, as_json
        )
        return
    from textgen.evaluation import evaluate as measure
    from textgen.evaluation import save_evaluation

    with _ProgressBar() as on_progress:
        evaluation = measure(
            names,
            files,
            models_dir,
            part=part,
            max_characters=max_characters,
            baselines=not no_baselines,
            encoding=encoding,
            text_column=text_column,
            on_progress=on_progress,
        )
    if as_json:
        click.echo(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        _print(evaluation)
    if save:
        for path in save_evaluation(evaluation, names, models_dir):
            say(visible(f"Saved in {path}"))


def _sort(arguments: Sequence[str], catalog: Catalog) -> tuple[list[str | None], list[str]]:
    """Return the arguments that name models, and the others."""
    names: list[str | None] = []
    files: list[str] = []
    for argument in arguments:
        try:
            catalog.find(argument)
        except (ModelNotFoundError, ConfigError):
            if argument != "-" and not os.path.exists(argument) and not glob.has_magic(argument):
                known = ", ".join(entry.name for entry in catalog.entries()) or "none"
                raise CorpusError(
                    f"There is neither a model nor a file {argument!r}. Models in "
                    f"{catalog.folder}: {known}."
                ) from None
            files.append(argument)
        else:
            names.append(argument)
    return names or [None], files


class _ProgressBar:
    """A bar on a terminal, nothing elsewhere."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}
        self._bar.start()
        return self._update

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def _update(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(visible(what).replace("[", r"\["), total=total)
        self._bar.update(self._tasks[what], completed=done, total=total)


def _print(evaluation: Evaluation) -> None:
    from textgen.evaluation import PROTOCOLS

    table = _table()
    table.add_column("")
    for model in evaluation.models:
        version = f" {model.version}" if model.version else ""
        table.add_column(visible(f"{model.name}{version}"), justify="right", overflow="fold")
    for title, name, form in _ROWS:
        cells = [_cell(model.figures[name], form) for model in evaluation.models]
        table.add_row(title, *cells)
    memory = [f"{m.memory_bytes / 1e6:,.0f} MB" for m in evaluation.models]
    table.add_row("memory", *memory)
    # Answers to prompts are measured under one protocol only.
    others = {protocol for model in evaluation.models for protocol in model.losses}
    for protocol in ("windows", "random") if others else ():
        cells = [
            _cell(m.losses[protocol], ".3f") if protocol in m.losses else ""
            for m in evaluation.models
        ]
        table.add_row(f"loss, {protocol} *", *cells)
    intervals = f"95 % intervals over {evaluation.num_units:,} {evaluation.unit_kind}"
    if evaluation.num_units < 2:
        intervals = "too short for intervals"
    click.echo(
        visible(
            f"On {evaluation.text}: {evaluation.num_characters:,} characters, {intervals}; "
            f"{PROTOCOLS['full']}."
        )
    )
    _console().print(table)
    if others:
        click.echo(f"* {PROTOCOLS['windows']}; {PROTOCOLS['random']}.")
    if evaluation.baselines:
        table = _table()
        table.add_column("bits per character, same text")
        table.add_column("", justify="right")
        for each in evaluation.baselines:
            table.add_row(each.name, _cell(each.bits_per_character, ".3f"))
        click.echo()
        _console().print(table)
    if evaluation.comparisons or evaluation.notes:
        click.echo()
    for comparison in evaluation.comparisons:
        click.echo(visible(comparison.verdict))
    for note in evaluation.notes:
        click.echo(visible(f"Note: {note}"))


def _cell(figure: Figure, form: str) -> str:
    text = format(figure.value, form)
    if figure.low is None or figure.high is None:
        return text
    return f"{text}  ({format(figure.low, form)} to {format(figure.high, form)})"


def _table() -> Any:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))


def _console() -> Any:
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = 10_000  # A program that reads a pipe needs one line per row.
    return console


def _evaluate_references(
    names: Sequence[str | None],
    files: Sequence[str],
    models_dir: str | None,
    columns: tuple[str, str],
    max_new_tokens: int,
    as_json: bool,
) -> None:
    if not files:
        raise click.UsageError("--references needs a table with prompts and answers.")
    from textgen.evaluation import score_references

    with _ProgressBar() as on_progress:
        found = [
            score_references(
                name,
                files,
                models_dir,
                columns=columns,
                max_new_tokens=max_new_tokens,
                on_progress=on_progress,
            )
            for name in names
        ]
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in found], ensure_ascii=False))
        return
    _print_references(found)


def _print_references(found: Sequence[ReferenceScores]) -> None:
    table = _table()
    table.add_column("")
    for each in found:
        table.add_column(visible(each.name), justify="right", overflow="fold")
    for title in found[0].figures:
        table.add_row(title, *(_cell(each.figures[title], ".3f") for each in found))
    click.echo(
        f"{found[0].num_rows:,} prompts, 95 % intervals over them; answers at temperature 0."
    )
    _console().print(table)
