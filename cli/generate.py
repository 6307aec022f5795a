"""`textgen generate`: let a model write."""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata

import click
from textgen.cli import options

from textgen.config import SamplingConfig
from textgen.errors import CorpusError

_DEFAULTS = SamplingConfig()


@click.command()
@click.argument("prompt", required=False)
@options.model
@click.option(
    "-n",
    "--max-new-tokens",
    type=int,
    default=_DEFAULTS.max_new_tokens,
    show_default=True,
    help="Tokens to write at most.",
)
@click.option(
    "-t",
    "--temperature",
    type=float,
    default=_DEFAULTS.temperature,
    show_default=True,
    help="Below 1 safer, above 1 wilder; 0 always takes the likeliest token.",
)
@click.option(
    "--top-k",
    type=int,
    default=_DEFAULTS.top_k,
    show_default=True,
    help="Choose among the K likeliest tokens; 0 among all.",
)
@click.option(
    "--top-p",
    type=float,
    default=_DEFAULTS.top_p,
    show_default=True,
    help="Choose among the likeliest tokens that together reach this probability.",
)
@click.option("--seed", type=int, help="The same seed writes the same text.  [default: random]")
@click.option(
    "--num-samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Texts to write; the next one uses the next seed.",
)
@click.option(
    "--stop",
    multiple=True,
    metavar="TEXT",
    help="End with the first TEXT written; may be given several times.",
)
@click.option(
    "--echo/--no-echo", default=True, help="Show the prompt before the text.", show_default=True
)
@options.as_json
@options.models_dir
def generate(
    prompt: str | None,
    model: str | None,
    num_samples: int,
    echo: bool,
    as_json: bool,
    models_dir: str | None,
    **sampling,
) -> None:
    """Continue PROMPT with a trained model.

    PROMPT may come from standard input instead; without any, the model begins anew.
    """
    config = SamplingConfig(**sampling)
    prompt = _prompt(prompt)
    from textgen.inference import load

    with load(model, models_dir) as generator:
        unseen = generator.unknown_characters(prompt)
        if unseen:
            shown = ", ".join(_describe(character) for character in unseen[:8])
            more = f" and {len(unseen) - 8} more" if len(unseen) > 8 else ""
            click.echo(f"Warning: the model has never seen {shown}{more}.", err=True)
        results = generator.generate_batch([prompt] * num_samples, config)
    for index, result in enumerate(results):
        if as_json:
            values = {"model": generator.entry.name, **dataclasses.asdict(result)}
            click.echo(json.dumps(values, ensure_ascii=False))
        else:
            if index:
                click.echo("---")
            click.echo((prompt if echo else "") + result.text)


def _prompt(argument: str | None) -> str:
    """Return the prompt from the command line or from standard input."""
    if argument is not None and argument != "-":
        return argument
    if argument is None and (sys.stdin is None or sys.stdin.isatty()):
        return ""
    content = sys.stdin.buffer.read()
    try:
        # `echo "Once" | textgen generate`: the newline is echo's, not the prompt's.
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"The prompt on standard input must be UTF-8. Received: byte "
            f"0x{content[error.start]:02x} at offset {error.start}."
        ) from None


def _describe(character: str) -> str:
    name = unicodedata.name(character, "")
    shown = character if character.isprintable() else ""
    return f"{shown!r} (U+{ord(character):04X}{' ' + name if name else ''})"
