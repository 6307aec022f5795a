"""The controls of sampling as options: one for every row of the table but `logprobs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from textgen.cli.escapes import unescape
from textgen.cli.options import SectionedOption
from textgen.cli.screen import say

from textgen.config import SamplingConfig
from textgen.config.constraint_controls import Pattern, Patterns, Schema, Switch, Text
from textgen.config.controls import Biases, Control, Stage, Texts, controls_of
from textgen.errors import GenerationError

if TYPE_CHECKING:
    from textgen.inference import TextGenerator

# The options that most people need come first, in a section of their own.
_COMMON = ("max_new_tokens", "temperature", "top_k", "top_p", "seed", "stop")
_SECTIONS = {
    "Length": (Stage.END,),
    "Penalties and biases, before the temperature": (Stage.PENALTY, Stage.BIAS),
    "What the text must, or must not, contain": (Stage.CONSTRAINT,),
    "Truncation, after --top-p and in this order": (Stage.TRUNCATION, Stage.MIROSTAT),
}
_FLAGS = {
    "max_new_tokens": ("-n", "--max-new-tokens"),
    "temperature": ("-t", "--temperature"),
    "banned": ("--ban", "banned"),
}
# A longer text to ban is a list of characters, not a word or a phrase.
_MAX_PHRASE = 40
_DEFAULTS = {"seed": "random", "max_time": "no limit", "novel": "off"}


def controls(command: Callable) -> Callable:
    """Give a command all options of `SamplingConfig` but `logprobs`, by the fields' names."""
    rows = {control.name: control for control in controls_of(SamplingConfig)}
    options = [_option(rows[name], "Options") for name in _COMMON]
    for section, stages in _SECTIONS.items():
        options += [
            _option(control, section)
            for control in rows.values()
            if control.stage in stages and control.name not in _COMMON
        ]
    for option in reversed(options):
        command = option(command)
    return command


def _option(control: Control, section: str) -> Callable:
    flags = _FLAGS.get(control.name, (f"--{control.name.replace('_', '-')}",))
    settings: dict[str, Any] = {"cls": SectionedOption, "section": section, "help": control.help}
    if isinstance(control, Patterns):
        settings |= {"multiple": True, "metavar": "REGEX"}
        settings["help"] += " May be given several times."
    elif isinstance(control, Texts | Biases):
        settings |= {"multiple": True, "metavar": "TEXT", "callback": _unescape_all}
        settings["help"] += r" May be given several times; \n, \t and \\ are escapes."
    elif isinstance(control, Schema):
        settings |= {"metavar": "FILE|JSON", "type": _SchemaType()}
    elif isinstance(control, Switch):
        settings |= {"is_flag": True}
    elif isinstance(control, Text):
        settings |= {"metavar": "REGEX" if isinstance(control, Pattern) else "TEXT"}
    else:
        settings["type"] = int if control.dtype.startswith("int") else float
        if control.default is None:
            settings["help"] += f"  [default: {_DEFAULTS[control.name]}]"
        else:
            settings |= {"default": control.default, "show_default": True}
    if isinstance(control, Biases):
        settings |= {"metavar": "TEXT=NUMBER", "callback": _split_biases}
    return click.option(*flags, **settings)


def _unescape_all(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(map(unescape, values))


def _split_biases(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    return tuple(_split_bias(ctx, param, value) for value in values)


def _split_bias(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, float]:
    # The last equals sign separates: "==2" is about the text "=".
    text, _, number = value.rpartition("=")
    try:
        return unescape(text), float(number)
    except ValueError:
        rule = f"must be TEXT=NUMBER. Received: {value!r}"
        raise click.BadParameter(rule, ctx, param) from None


class _SchemaType(click.Path):
    """The name of a file that exists, or a JSON object."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if _is_object(value) else super().convert(value, param, ctx)


def _is_object(text: str) -> bool:
    return text.lstrip().startswith("{")


def sampling_config(sampling: dict[str, Any]) -> SamplingConfig:
    """Return the config of the options that `controls` gave a command."""
    schema = sampling["json_schema"]
    if schema is not None and not _is_object(schema):
        schema = _read(schema)
    return SamplingConfig(**{**sampling, "json_schema": schema})


def read_phrases(file: str) -> tuple[str, ...]:
    """Return the lines of a file of phrases that are not empty."""
    return tuple(line for line in _read(file).splitlines() if line.strip())


def _read(file: str) -> str:
    from textgen.corpus import decode_chunks

    return "".join(decode_chunks([Path(file).read_bytes()], "utf-8", file))


def explain_controls(generator: TextGenerator, config: SamplingConfig) -> None:
    """Print what --ban and --logit-bias do if a word was meant that is not one token."""
    for text in config.banned:
        if 1 < len(text) <= _MAX_PHRASE:
            characters = ", ".join(map(repr, dict.fromkeys(text)))
            say(
                f"--ban bans characters, here {characters}. "
                f"To exclude only the whole text, use --avoid {text!r}."
            )
    for text, _ in config.logit_bias:
        # The graph prefers the form that is one token, with or without a space before it.
        tokenizer = generator.tokenizer
        forms = (text, text[1:] if text.startswith(" ") else f" {text}")
        tokens, other_tokens = map(tokenizer.encode, forms)
        if len(tokens) > 1 and len(other_tokens) != 1:
            pieces = ", ".join(repr(tokenizer.decode([token])) for token in tokens)
            say(f"--logit-bias: {text!r} is several tokens, and each gets the bias: {pieces}.")


def no_token_left() -> GenerationError:
    """Return the error that says why a text could not continue."""
    return GenerationError(
        "No token was left to choose: --ban, --logit-bias or --no-repeat-ngram-size exclude "
        "them all, or the model's weights are broken."
    )
