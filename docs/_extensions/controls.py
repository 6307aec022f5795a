"""The directive `textgen-controls`: every setting of sampling, read from the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from textgen.config import SamplingConfig


class Controls(SphinxDirective):
    """Render a table of `SamplingConfig`: name, default, meaning."""

    def run(self) -> list[nodes.Node]:
        """Return the table, parsed in the language of the page (Markdown)."""
        return self.parse_text_to_nodes("\n".join(_table()))


def _table() -> Iterator[str]:
    meanings = _attributes(SamplingConfig)
    yield from ("| Setting | Default | Meaning |", "| --- | --- | --- |")
    for field in dataclasses.fields(SamplingConfig):
        yield f"| `{field.name}` | `{field.default!r}` | {meanings[field.name]} |"


def _attributes(record: type) -> dict[str, str]:
    """Return the entries of a docstring's section `Attributes:`, by name."""
    section = inspect.getdoc(record).partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.+(?:\n     .+)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("textgen-controls", Controls)
    return {"parallel_read_safe": True}
