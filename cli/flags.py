"""The library's messages name settings; on the command line they name options."""

from __future__ import annotations

import re

import click

# Actions, and the commands that perform them.
_ACTIONS = {
    "Train one first.": "Train one: textgen train corpus.txt",
    "resume from it": "continue from it with --resume",
    "begin a new run": "begin a new run without --resume",
}


def name_options(message: str, command: click.Command) -> str:
    """Return a message with the names of settings replaced by a command's options,
    and actions by commands.

    What was received, at the message's end, stays as it is.

    Example:
        >>> name_options("top_p must be in (0, 1]. Received: 1.7", generate)
        '--top-p must be in (0, 1]. Received: 1.7'
    """
    options = {
        str(parameter.name): max(parameter.opts, key=len)
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    rule, received, value = message.partition("Received:")
    for action, how in _ACTIONS.items():
        rule = rule.replace(action, how)
    for name, option in options.items():
        word = rf"\b{name}\b"
        if "_" not in name:  # It may also be a common word of the sentence.
            word = rf"^{name}(?= must| cannot| needs| is)|\b{name}(?==)"
        rule = re.sub(word, option, rule)
    return rule + received + value
