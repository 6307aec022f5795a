"""The controls of sampling as options: one for every field of `SamplingConfig`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from textgen.cli.options import SectionedOption

from textgen.config import SamplingConfig
from textgen.errors import GenerationError

_DEFAULTS = SamplingConfig()
_COMMON = "Options"
_LENGTH = "Length"
_BEFORE = "Sampling before the temperature, in this order"
_AFTER = "Sampling after --top-p, in this order"


def _control(names: str, section: str, help: str, **settings: Any) -> Callable:
    """Return the option of a field of `SamplingConfig`, whose name is the last of `names`."""
    declarations = names.split()
    default = getattr(_DEFAULTS, declarations[-1].lstrip("-").replace("-", "_"))
    if default is not None and default != ():
        settings |= {"default": default, "show_default": True}
    settings |= {"cls": SectionedOption, "section": section}
    return click.option(*declarations, help=help, **settings)


def _text_control(names: str, section: str, help: str, **settings: Any) -> Callable:
    """The same, of a field that holds any number of texts."""
    help += "; may be given several times."
    return _control(names, section, help, **{"multiple": True, "metavar": "TEXT", **settings})


def _split_biases(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    return tuple(_split_bias(ctx, param, value) for value in values)


def _split_bias(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, float]:
    # The last sign is the one that counts: "==2" is about the text "=".
    text, _, number = value.rpartition("=")
    try:
        return text, float(number)
    except ValueError:
        rule = f"must be TEXT=NUMBER. Received: {value!r}"
        raise click.BadParameter(rule, ctx, param) from None


_CONTROLS = (
    _control("-n --max-new-tokens", _COMMON, "Tokens to write at most."),
    _control(
        "-t --temperature",
        _COMMON,
        "Below 1 safer, above 1 wilder; 0 always takes the likeliest token.",
    ),
    _control("--top-k", _COMMON, "Choose among the K likeliest tokens; 0 among all."),
    _control(
        "--top-p",
        _COMMON,
        "Choose among the likeliest that together reach this probability.",
    ),
    _control("--seed", _COMMON, "The same seed writes the same text.  [default: random]", type=int),
    _text_control("--stop", _COMMON, "End with the first TEXT written"),
    _control("--min-new-tokens", _LENGTH, "Tokens to write before the text may end."),
    _control("--max-time", _LENGTH, "Seconds to write at most.  [default: no limit]", type=float),
    _control(
        "--repetition-penalty",
        _BEFORE,
        "Above 1 makes tokens less likely that were seen before.",
    ),
    _control("--presence-penalty", _BEFORE, "The same, by subtracting from their logits."),
    _control("--frequency-penalty", _BEFORE, "Subtracts for each time a token was seen."),
    _control("--dry-multiplier", _BEFORE, "DRY: keep from going on with a repetition; 0 is off."),
    _control("--dry-base", _BEFORE, "How fast DRY grows with the length of the repetition."),
    _control("--dry-allowed-length", _BEFORE, "Tokens that may be repeated freely."),
    _control(
        "--no-repeat-ngram-size",
        _BEFORE,
        "Never write so many tokens twice in the same order; 0 is off.",
    ),
    _control(
        "--repeat-last-n",
        _BEFORE,
        "For all of these: newest tokens that count as seen before; -1 is the context length.",
    ),
    _text_control(
        "--logit-bias",
        _BEFORE,
        "Make the tokens of TEXT likelier (above 0) or less likely (below 0)",
        metavar="TEXT=NUMBER",
        callback=_split_biases,
    ),
    _text_control("--ban banned", _BEFORE, "Never write a character of TEXT"),
    _control("--min-p", _AFTER, "Leave out tokens below P times the likeliest's probability."),
    _control("--typical-p", _AFTER, "Choose among the most typical tokens up to this probability."),
    _control("--xtc-probability", _AFTER, "XTC: how often to leave out the likeliest tokens."),
    _control("--xtc-threshold", _AFTER, "XTC leaves out all above this probability but the last."),
    _control(
        "--mirostat-tau",
        _AFTER,
        "Mirostat, instead of all from --top-k on: aim at so many bits of surprise a token; "
        "0 is off.",
    ),
    _control("--mirostat-eta", _AFTER, "How fast Mirostat learns."),
)


def controls(command: Callable) -> Callable:
    """Give a command all options of `SamplingConfig` but `logprobs`, by the fields' names."""
    for control in reversed(_CONTROLS):
        command = control(command)
    return command


def no_token_left() -> GenerationError:
    """Return the error that says why a text could not go on."""
    return GenerationError(
        "No token was left to choose: --ban, --logit-bias or --no-repeat-ngram-size exclude "
        "them all, or the model's weights are broken."
    )
