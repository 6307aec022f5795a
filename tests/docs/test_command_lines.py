"""Every `textgen ...` on a page is a command line that textgen would accept."""

import contextlib
import re
import shlex
from collections.abc import Iterator

import click
import pytest
from textgen.cli.main import cli

from tests.docs.pages import NAMES, ROOT, code_blocks

INLINE = re.compile(r"(?<!`)`(textgen [^`]+)`(?!`)")


def command_lines(text: str) -> Iterator[str]:
    """Yield the lines with `textgen`: of scripts, after a prompt, and within sentences."""
    blocks = [*code_blocks(text, "sh", "yaml")]
    for block in code_blocks(text, "", "text", "console"):
        # A line of output is no command; a command follows a prompt.
        blocks.append("\n".join(re.findall(r"^\$ (.+(?:\\\n.+)*)", block, re.MULTILINE)))
    for block in blocks:
        yield from (line for line in block.replace("\\\n", " ").splitlines() if "textgen" in line)
    yield from (line.replace("\n", " ") for line in INLINE.findall(text))


def calls(line: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of textgen in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words = [*lexer, ";"]
    call: list[str] | None = None
    for word, following in zip(words, [*words[1:], ";"], strict=True):
        if set(word) <= set("|;&<>"):
            if call is not None:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif re.fullmatch(r"(.*/)?textgen", word) and following not in ("install", "."):
            call = []


def check(arguments: list[str]) -> None:
    """Parse a command line without running it.

    Raises:
        click.UsageError: If textgen would refuse it.
    """
    group = click.Context(cli, info_name="textgen")
    words = [word for word in arguments if word not in ("...", "--debug")]
    if not words or words[0].isupper() or words == ["--version"] or words == ["--help"]:
        return
    command = cli.get_command(group, words[0])
    if command is None:
        raise click.UsageError(f"No such command: {words[0]}")
    with contextlib.suppress(click.exceptions.Exit):  # --help ends a parse this way
        command.make_context(words[0], words[1:], parent=group)


@pytest.mark.parametrize("name", NAMES)
def test_command_lines_parse(name, monkeypatch):
    # The files of a command line need not exist here.
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: value)
    refused = []
    for line in command_lines((ROOT / name).read_text("utf-8")):
        for arguments in calls(line):
            try:
                check(arguments)
            except click.UsageError as error:
                refused.append(f"{line}: {error.format_message()}")
    assert refused == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("textgen score --json < letter.txt", [["score", "--json"]]),
        ("echo Once | .venv/bin/textgen generate -n 5", [["generate", "-n", "5"]]),
        ("textgen list && textgen info mine  # both", [["list"], ["info", "mine"]]),
        ("pip install textgen", [[]]),
    ],
)
def test_calls_are_found_in_a_line_of_a_shell(line, expected):
    assert list(calls(line)) == expected


def test_an_unknown_option_is_refused():
    with pytest.raises(click.UsageError):
        check(["generate", "--no-such-option"])
