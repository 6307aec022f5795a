"""`textgen generate` on a real terminal, and in front of readers that go away."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest
from textgen.cli.screen import visible

from tests.cli.conftest import WRITES_ESCAPE
from tests.waiting import PATIENCE, interrupt

pytestmark = pytest.mark.slow


@pytest.fixture
def start(models):
    """Start `textgen generate`, its standard output on a terminal."""

    def run(*arguments, stdin=subprocess.DEVNULL):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "textgen.cli", "generate", *arguments]
        process = subprocess.Popen(
            [*command, "--models-dir", models],
            stdin=stdin,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        return process, ours

    return run


def read_all(descriptor):
    """Read what a terminal shows until the program ends."""
    content = b""
    try:
        while chunk := os.read(descriptor, 4096):
            content += chunk
    except OSError:  # Linux says so where the other side has closed
        pass
    os.close(descriptor)
    return content.decode("utf-8").replace("\r\n", "\n")


def test_a_terminal_gets_the_text_in_chunks_and_as_a_pipe_but_for_line_breaks(start, run, models):
    arguments = ("The ", "-n", "300", "--seed", "4")
    process, terminal = start(*arguments)
    shown = read_all(terminal)
    assert process.wait(PATIENCE) == 0
    piped = visible(run("generate", *arguments, "--models-dir", models).stdout, keep="\n\t")
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", piped)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("chosen", [[], ["-m", "fox"]])
def test_a_terminal_is_told_which_model_was_chosen_by_default(models, chosen):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "textgen.cli", "generate", "The", "-n", "2", *chosen]
    process = subprocess.Popen(
        [*command, "--models-dir", models],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    assert read_all(ours) == ("" if chosen else "Model: fox, version 1\n")
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("form", ["--stream", "--no-stream"])
def test_a_terminal_shows_control_characters_as_escapes(start, form):
    process, terminal = start("a\r\tb\nc\x9b", form, *WRITES_ESCAPE)
    assert read_all(terminal) == "a\\r\tb\nc\\x9b\\x1b[m\n"
    assert process.wait(PATIENCE) == 0


def test_ctrl_c_ends_the_text_with_its_line(start):
    process, terminal = start("The ", "-n", "100000000")
    begun = os.read(terminal, 100)  # it is writing
    process.send_signal(signal.SIGINT)
    shown = read_all(terminal)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert begun.startswith(b"The")
    assert shown.endswith("\n")
    assert errors == ""


def test_ctrl_c_while_choosing_prints_the_text(start):
    process, terminal = start("-i", "The ", stdin=subprocess.PIPE)
    process.stdin.write(" own words\n")
    process.stdin.flush()
    errors = ""
    # It shows the paragraph and proposals, and asks what comes next.
    while not ("\nThe  own words\n" in errors and errors.endswith("\n> ")):
        letter = process.stderr.read(1)
        assert letter, f"the program ended: {errors}"
        errors += letter
    interrupt(process, signal.SIGINT)
    assert read_all(terminal) == "The  own words\n"
    assert process.wait(PATIENCE) == 130


def test_a_reader_that_goes_away_is_no_error(models):
    command = f"{sys.executable} -m textgen.cli generate The -n 5000 --stream --models-dir {models}"
    done = subprocess.run(["bash", "-c", f"{command} | head -c 10"], capture_output=True)
    assert len(done.stdout) == 10
    assert done.stderr == b""
