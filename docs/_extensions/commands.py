"""The directive `textgen-commands`: every command with its options, read from the code.

The reference cannot go stale, because it is built from the same objects that parse the command
line. A command's options keep the sections that its `--help` shows.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from textgen.cli.main import cli


class Commands(SphinxDirective):
    """Render one section per command of `textgen`."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, parsed in the language of the page (Markdown)."""
        group = click.Context(cli, info_name="textgen", **cli.context_settings)
        lines = []
        for name in cli.list_commands(group):
            command = cli.get_command(group, name)
            lines += _section(command, click.Context(command, group, info_name=name))
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _section(command: click.Command, ctx: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(ctx))
    yield from (f"## {ctx.command_path}", "", "```text", f"{ctx.command_path} {usage}", "```", "")
    yield from (*_paragraphs(command.help or ""), "")
    yield from ("```{program} " + ctx.command_path, "```", "")
    sections: dict[str, list[click.Option]] = {}
    for parameter in command.get_params(ctx):
        if isinstance(parameter, click.Option) and parameter.name != "help":
            title = getattr(parameter, "section", "Options")
            sections.setdefault(title, []).append(parameter)
    for title, options in sections.items():
        if title != "Options":
            yield from (f"### {_escaped(title)}", "")
        for option in options:
            record = option.get_help_record(ctx)
            if record:
                yield from _option(*record)


def _option(names: str, help: str) -> Iterator[str]:
    # `-t, --temperature FLOAT` and `--echo / --no-echo` both list their names after commas.
    yield from (":::{option} " + names.replace(" / ", ", "), _escaped(help), ":::", "")


def _paragraphs(help: str) -> Iterator[str]:
    """Yield a docstring of click; a paragraph that begins with \\b keeps its lines."""
    for paragraph in inspect.cleandoc(help).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from ("```text", paragraph[2:], "```", "")
        else:
            yield from (_escaped(paragraph), "")


def _escaped(text: str) -> str:
    """Return a text of click as Markdown: its flags are code, its marks are characters."""
    for character in "\\*_<[":
        text = text.replace(character, "\\" + character)
    return re.sub(r"(?<!\S)--\w[\w-]*", r"`\g<0>`", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("textgen-commands", Commands)
    return {"parallel_read_safe": True}
