"""Lines can be edited and recalled on a terminal, and read through a pipe."""

import io
import sys

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from textgen.cli import line_input
from textgen.cli.line_input import LineInput


@pytest.fixture
def keys(monkeypatch):
    """A terminal on which keys can be pressed."""
    monkeypatch.setattr(line_input, "_is_terminal", lambda: True)
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        yield pipe


def test_a_line_is_edited_and_recalled(keys):
    lines = LineInput()
    keys.send_text("a fix\x1b[D\x7fo\r")  # left, backspace, "o"
    assert lines.ask("> ") == "a fox"
    keys.send_text("\x1b[A hen\r")  # up
    assert lines.ask("> ") == "a fox hen"


def test_control_d_ends_the_input_and_control_c_interrupts(keys):
    lines = LineInput()
    keys.send_text("\x04")
    assert lines.ask("> ") is None
    keys.send_text("\x03")
    with pytest.raises(KeyboardInterrupt):
        lines.ask("> ")


def test_a_pipe_is_read_line_by_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("明月\r\n\nlast".encode())))
    lines = LineInput()
    assert [lines.ask("> ") for _ in range(4)] == ["明月", "", "last", None]
    assert capsys.readouterr().err == "> > > > \n"
