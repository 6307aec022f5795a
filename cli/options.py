"""Options that several commands share, and how a long list of them is shown."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from textgen.cli.completion import complete_model

from textgen.catalog import MODELS_VARIABLE


class SectionedOption(click.Option):
    """An option that stands under a title of its own in --help.

    Args:
        *arguments: as for `click.Option`.
        section: the title.
        **settings: as for `click.Option`.
    """

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """Shows the options without a section first, then one section after the other."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write all options into the help page."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                title = getattr(parameter, "section", "Options")
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


models_dir = click.option(
    "--models-dir",
    type=click.Path(file_okay=False),
    envvar=MODELS_VARIABLE,
    show_envvar=True,
    help="Folder of the models.  [default: ./saved_models]",
)

model = click.option(
    "-m",
    "--model",
    metavar="NAME_OR_PATH",
    shell_complete=complete_model,
    help="Which model.  [default: the newest]",
)

output = partial(click.option, cls=SectionedOption, section="Output")

as_json = output("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
