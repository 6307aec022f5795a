"""Ctrl-C at awkward moments, in processes of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import SMALL
from tests.conftest import ROOT
from tests.light_runs import TRAIN
from tests.waiting import interrupt

PROGRAM = """
import signal, sys, time, types
import click
from textgen.cli import main

class Object:
    def __init__(self):
        {begin}
        self.file = open("/dev/null")
    def __del__(self):
        {end}
        self.file.close()

@click.command()
def command():
    Object()
    time.sleep(20)
    print("the end")

sys.modules["textgen.cli.test"] = types.SimpleNamespace(command=command)
main._COMMANDS["test"] = ("test.command", "")
sys.argv[1:] = ["test"]
try:
    main.main()
except SystemExit as ended:
    print("exit", ended.code)
"""


@pytest.mark.parametrize("place", ["begin", "end"])
def test_ctrl_c_while_an_object_begins_or_ends_is_obeyed_with_one_word(run_python, place):
    interrupt = {place: "signal.raise_signal(signal.SIGINT)"}
    shown, said = run_python(PROGRAM.format(**{"begin": "", "end": "", **interrupt}))
    assert (shown, said) == ("exit 130", "Interrupted.")


IMPORTING = """
import signal, sys

class Interrupts:
    def find_spec(name, path=None, target=None):
        if name == "textgen.cli.main":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupts)
from textgen.cli import run
run()
"""


def test_ctrl_c_while_the_program_is_imported_ends_it_without_a_word():
    ended = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.fixture
def start():
    processes = []

    def run(command, *arguments, **options):
        program = ["-c", TRAIN] if command == "train" else ["-m", "textgen.cli"]
        processes.append(
            subprocess.Popen(
                [sys.executable, *program, command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                **options,
            )
        )
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("search", ["--num-beams=2", "--penalty-alpha=0.6"])
def test_ctrl_c_ends_a_search_that_takes_long(start, models, search):
    process = start("generate", "☃", search, "-n", "1000000", "--models-dir", models)
    assert "SNOWMAN" in process.stderr.readline()  # the last that is said before the call
    interrupt(process, signal.SIGINT)
    assert process.returncode in (-signal.SIGINT, 130)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["generate", "score", "train"])
def test_a_program_started_deaf_to_ctrl_c_stays_so(start, models, corpus, tmp_path, command):
    arguments = {
        "generate": ["The ", "--num-beams", "2", "--models-dir", models],
        "score": [corpus, "--models-dir", models],
        "train": [corpus, *SMALL, "--models-dir", tmp_path],
    }[command]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start(command, *arguments)  # it inherits that
    finally:
        signal.signal(signal.SIGINT, before)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.returncode == 0
    assert "Stopping" not in process.stderr.read()
