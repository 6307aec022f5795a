"""`textgen demo`: a model in about a minute, from text that comes with every CPython."""

from __future__ import annotations

import sysconfig
import tempfile
from pathlib import Path

import click
from textgen.cli import options
from textgen.cli.screen import print_text
from textgen.cli.train import report, stop_on_interrupt

# Pure-Python modules of the standard library, chosen for plain style; about 400 kB.
_MODULES = (
    "argparse", "ast", "bdb", "calendar", "cmd", "codecs", "configparser", "contextlib", "copy",
    "csv", "dataclasses", "difflib", "fractions", "functools", "heapq", "inspect", "shutil",
    "statistics", "string", "textwrap",
)  # fmt: skip


@click.command()
@click.option("--code", is_flag=True, help="Learn Python code instead of prose.")
@click.option(
    "--max-steps",
    type=int,
    default=700,
    show_default=True,
    help="Number of optimizer steps; 700 take about a minute on 2 cores.",
)
@click.option(
    "--published",
    is_flag=True,
    help="Import a published model of 135 million weights instead, and ask it a question.",
)
@options.models_dir
def demo(code: bool, max_steps: int, published: bool, models_dir: str | None) -> None:
    """Train a small model on text that comes with Python, and print what it generates.

    Needs no corpus and no network: the text is Python's own documentation
    (pydoc_data.topics), or with --code the source of its standard library.
    """
    if published:
        from textgen.cli.published_demo import show_published

        show_published(models_dir)
        return
    from textgen.cli.progress import make_reporter

    from textgen import pipeline
    from textgen.inference import load

    name = "demo-code" if code else "demo"
    with tempfile.TemporaryDirectory(prefix="textgen-") as folder:
        corpus = Path(folder, "standard-library.py.txt" if code else "python-topics.txt")
        corpus.write_text(_code() if code else _prose(), encoding="utf-8")
        click.echo(f"Learning from {corpus.name}, {corpus.stat().st_size:,} bytes", err=True)
        with stop_on_interrupt() as should_stop, make_reporter() as reporter:
            trained = pipeline.train(
                [corpus],
                name,
                models_dir=models_dir,
                reporter=reporter,
                should_stop=should_stop,
                max_steps=max_steps,
                size="small",
                context_length=64,
                dropout=0.0,
                batch_size=16,
            )
    report(trained, models_dir)
    # No space at the end: BPE attaches it to the next word.
    prompts = ["def"] if code else ["The", "If the"]
    stop = ["\n\n"] if code else ["."]
    with load(trained.path) as generator:
        for prompt in prompts:
            result = generator.generate(prompt, max_new_tokens=300, stop=stop, temperature=0.7)
            print_text(f"\n{prompt}{result.text}")


def _prose() -> str:
    """Return Python's language reference by topic, as `help()` shows it."""
    from pydoc_data import topics

    return "\n\n".join(text.strip() for _, text in sorted(topics.topics.items()))


def _code() -> str:
    """Return the source of some modules of the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    files = (library / f"{name}.py" for name in _MODULES)
    return "\n\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
