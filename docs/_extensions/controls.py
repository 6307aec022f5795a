"""The directive `textgen-controls NAME`: the controls of a config, read from their table."""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import textgen
from textgen.config.controls import Control, Stage, controls_of


class Controls(SphinxDirective):
    """Render the rows of a config, by the stages in which they act."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the tables, parsed in the language of the page (Markdown)."""
        controls = controls_of(getattr(textgen, self.arguments[0]))
        lines = []
        for stage in Stage:
            rows = [control for control in controls if control.stage is stage]
            if rows:
                lines += [f"**{stage.value[0].upper()}{stage.value[1:]}**", "", *_table(rows), ""]
        parsed = self.parse_text_to_nodes("\n".join(lines))
        for node in parsed:
            if isinstance(node, nodes.table):
                node["classes"].append("controls")
        return parsed


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value in (None, ()) else f"{value:g}"


def _table(controls: list[Control]) -> Iterator[str]:
    yield from ("| Control | Default | Values | Meaning |", "| --- | --- | --- | --- |")
    for control in controls:
        rule = control.rule.replace("[", r"\[")
        default = _default(control.default)
        off = "" if control.off in (None, control.default) else f" {control.off:g} turns it off."
        yield f"| `{control.name}` | {default} | {rule} | {control.help}{off} |"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("textgen-controls", Controls)
    return {"parallel_read_safe": True}
