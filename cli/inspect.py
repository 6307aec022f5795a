"""`textgen inspect`: what is in a corpus, and what to do about it before training."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click
from textgen.cli import options
from textgen.cli.progress import make_reporter
from textgen.cli.screen import say, visible

from textgen.config import CorpusConfig
from textgen.errors import TextgenError

if TYPE_CHECKING:
    from textgen.inspection import Finding, Inspection

_CORPUS = CorpusConfig()


@click.command()
@click.argument("corpus", nargs=-1, metavar="CORPUS...")
@click.option(
    "--encoding", default=_CORPUS.encoding, show_default=True, help="Text encoding of the files."
)
@click.option(
    "--split-documents",
    metavar="none|line|blank-line|file|TEXT",
    default=_CORPUS.split_documents,
    show_default=True,
    help="Where documents end, or the line between them.",
)
@click.option("--text-column", metavar="NAME", help="CSV column or JSON key of the text.")
@click.option("--plan/--no-plan", default=True, help="Also plan a training run.")
@options.as_json
@options.models_dir
def inspect(
    corpus: tuple[str, ...],
    encoding: str,
    split_documents: str,
    text_column: str | None,
    plan: bool,
    as_json: bool,
    models_dir: str | None,
) -> None:
    """Check CORPUS before training: files, folders, globs, or - for standard input.

    Shows sizes, scripts and documents, finds traces of wrong encodings, duplicates and likely
    personal data, and says what to do about each.
    """
    if not corpus:
        raise click.UsageError("Name a corpus to inspect: textgen inspect corpus.txt")
    from textgen.inspection import inspect as read

    config = CorpusConfig(
        encoding=encoding, split_documents=split_documents, text_column=text_column
    )
    with make_reporter() as reporter:
        reporter.phase("reading")
        inspection = read(corpus, config, reporter.bytes_done)
    if as_json:
        click.echo(json.dumps(inspection.to_dict(), ensure_ascii=False))
        return
    _print(inspection)
    if plan and "-" not in corpus:
        _print_plan(corpus, config, models_dir)


def _print(inspection: Inspection) -> None:
    facts, lengths = inspection.facts, inspection.document_lengths
    click.echo(visible(inspection.description))
    scripts = ", ".join(f"{name} {share:.1%}" for name, share in inspection.scripts[:5])
    rows = {
        "Size": f"{_count(facts, 'files')}, {facts['bytes'] / 1e6:,.2f} MB, "
        f"{facts['characters']:,} characters, {facts['words']:,} words, "
        f"{_count(facts, 'lines')}",
        "Documents": f"{facts['documents']:,}; characters in each: {lengths[0]:,} to "
        f"{lengths[-1]:,}, median {lengths[2]:,}",
        "Characters": f"{facts['different characters']:,} different; letters: {scripts or 'none'}",
        "Entropy": f"{facts['bits per character, single characters']:.2f} bits per character",
    }
    if predicted := facts.get("bits per character, Kneser-Ney 5"):
        rows["Entropy"] += f", {predicted:.2f} if the four before are known"
    for title, text in rows.items():
        click.echo(visible(f"  {title + ':':<12}{text}"))
    click.echo()
    if not inspection.findings:
        click.echo("Nothing needs attention.")
    for finding in inspection.findings:
        click.echo(visible(f"- {finding.what}"))
        for example in finding.examples:
            click.echo(visible(f"    {example}"))
        click.echo(f"  {finding.advice}{_flags(finding)}")


def _count(facts: dict[str, float], name: str) -> str:
    return f"{facts[name]:,} {name.removesuffix('s') if facts[name] == 1 else name}"


def _flags(finding: Finding) -> str:
    """Return the options of `textgen train` that follow an advice."""
    words: list[str] = []
    for name, value in finding.settings.items():
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(shlex.quote(str(value)))
    return f" ({' '.join(words)})" if words else ""


def _print_plan(corpus: tuple[str, ...], config: CorpusConfig, models_dir: str | None) -> None:
    from textgen.cli.plan_text import describe_plan
    from textgen.cli.train import default_name

    from textgen import pipeline

    names = ("encoding", "split_documents", "text_column")
    given: dict[str, Any] = {
        name: value for name in names if (value := getattr(config, name)) != getattr(_CORPUS, name)
    }
    click.echo()
    try:
        plan = pipeline.plan(corpus, default_name(corpus[0]), None, models_dir, **given)
    except TextgenError as error:
        say(visible(f"No plan: {error}"))
    else:
        click.echo(visible(describe_plan(plan), keep="\n"))
