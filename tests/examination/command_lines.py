"""Command lines with mistakes: settings out of range, names that are none, files that are not."""

import random

import click
from textgen.cli.main import _COMMANDS, cli

VALUES = [
    *("", " ", "-1", "0", "1.5", "nan", "inf", "-inf", "1e400", "9" * 400, "1" + "0" * 40),
    *(
        "2000000000",
        "-9223372036854775809",
        "0x10",
        "1_000",
        "１２",
        "true",
        "None",
        "a=b",
        "=",
        "=",
    ),
    *("\x1b[2J", "\udcff", "\x07", "\n", "\r", "\u202e", "💥", "é" * 5000, "%s%n", "{0}", "$(id)"),
    *("nothing-there", "corpus.txt", "models", "/dev/null", "loop", "secret", "a/b/c", "..", "."),
    *(
        "mine",
        "mine/1",
        "mine/999999999999999999999",
        "--",
        "-",
        "[",
        "(",
        "(a*)*b",
        "\\",
        "mine/x",
    ),
]
# What makes a command end soon if all of its values happen to be right.
HARMLESS = {
    "train": ["corpus.txt", "--dry-run"],
    "serve": ["nothing-there"],
    "demo": ["--models-dir", "corpus.txt"],
    "import": ["source"],
    "delete": ["nothing-there"],
    "rename": ["nothing-there", "other"],
    "evaluate": ["mine", "text.txt", "--no-baselines"],
    "score": ["text.txt"],
    "trace": ["text.txt"],
    "inspect": ["text.txt"],
    "completion": ["bash"],
    "generate": ["a", "-m", "mine", "-n", "3"],
}
# These would open a browser.
LEFT_OUT = {"--open"}


def command_lines(count, seed=0):
    """Yield command lines, each with one to three mistakes or strange values."""
    rng = random.Random(seed)
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in _COMMANDS}
    for _ in range(count):
        name = rng.choice(list(commands))
        options = [
            parameter
            for parameter in commands[name].params
            if isinstance(parameter, click.Option) and not LEFT_OUT & set(parameter.opts)
        ]
        arguments = [name]
        for _ in range(rng.randint(1, 3)):
            kind = rng.random()
            if kind < 0.75 and options:
                option = rng.choice(options)
                arguments.append(rng.choice([*option.opts, *option.secondary_opts]))
                if not option.is_flag:
                    arguments.append(rng.choice(VALUES))
            elif kind < 0.9:
                arguments.append(rng.choice(VALUES))
            else:
                arguments.append(f"--{rng.choice(['nothing', 'nam', 'seeed', 'max', ''])}")
        # At the end, so that it holds.
        yield [*arguments, *HARMLESS.get(name, [])]
