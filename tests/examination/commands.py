"""Command lines, each in a process of its own, and what is wrong with how one ends."""

import subprocess
from pathlib import Path

from tests.examination.hostile_graphs import CANARY
from tests.training.forked import ForkedPython, clean_environment

SECONDS = 180
# What no output may hold: ESC, BEL and the control characters of Latin-1.
FORBIDDEN = ("Traceback", "should not happen", "\x1b", "\x07", "\x9b", "\x00")
PROGRAM = """
import os, resource, sys
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
folder, limit = sys.argv[1], int(sys.argv[2])
sys.argv[1:] = [argument.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
                for argument in sys.argv[3:]]
os.chdir(folder)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from textgen.cli.main import main
main()
"""


class Ended:
    """How a command line ended.

    Attributes:
        status: Its exit status, negative if a signal ended it, `None` if it was still running.
        shown: What it printed on both streams.
    """

    def __init__(self, status, shown):
        self.status = status
        self.shown = shown


def run_command(arguments, folder, seconds=SECONDS, largest_file=0):
    """Run a command line with a folder's models, in that folder.

    Args:
        arguments: What follows `textgen`.
        folder: The working folder; models are in its folder `models`.
        seconds: How long it may take.
        largest_file: Number of bytes after which a file is full, as on a full disk; 0 for none.
    """
    shown = folder / "shown"
    shown.mkdir(exist_ok=True)
    environment = clean_environment(TEXTGEN_MODELS=str(folder / "models"), HOME=str(folder))
    process = ForkedPython(
        PROGRAM, [str(folder), str(largest_file), *arguments], environment, shown
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return Ended(None, "")
    output = b"".join(Path(path).read_bytes() for path in process.shown)
    for path in process.shown:
        Path(path).unlink()
    return Ended(process.returncode, output.decode("utf-8", "backslashreplace"))


def flaw_of(arguments, folder, statuses=(0, 1, 2), **options):
    """Run a command line; return what is wrong with how it ends, or `None`."""
    command = " ".join(arguments[:1])
    ended = run_command(arguments, folder, **options)
    if ended.status is None:
        return f"{command} hangs"
    if ended.status not in statuses:
        return f"{command} ends with {ended.status}: {ended.shown[-300:]!r}"
    for sign in FORBIDDEN:
        if sign in ended.shown:
            return f"{command} shows {sign!r}: {ended.shown[-400:]!r}"
    if ended.status and len([line for line in ended.shown.splitlines() if "Error: " in line]) > 1:
        return f"{command} shows two errors: {ended.shown[-400:]!r}"
    if CANARY.exists():
        CANARY.unlink()
        return f"{command} writes a file"
    if command == "list" and (folder / "models" / "other").exists() and "other" not in ended.shown:
        return "list hides the other model"
    return None


def first_flaw(commands, folder):
    """Return what is wrong with the first command that ends badly, or `None`."""
    return next(filter(None, (flaw_of(command, folder) for command in commands)), None)
