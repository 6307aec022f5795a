"""Command lines in a process of their own, and what is wrong with how one ends."""

import json
import subprocess
from pathlib import Path

from tests.examination.hostile_graphs import CANARY
from tests.training.forked import ForkedPython, clean_environment

SECONDS = 600
# What no output may hold: NUL, BEL, ESC and a control character of Latin-1.
FORBIDDEN = ("Traceback", "should not happen", "\x00", "\x07", "\x1b", "\x9b")
PROGRAM = """
import json, os, resource, subprocess, sys
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
commands, folder, limit = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
os.chdir(folder)
from textgen.cli.main import main
shown = []
if limit:
    for number in (1, 2):  # what the commands print is not on the disk that is full
        cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=number)
        os.dup2(cat.stdin.fileno(), number)
        cat.stdin.close()
        shown.append(cat)
    sys.stdout, sys.stderr = (open(number, "w", 1, closefd=False) for number in (1, 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for command in commands:
    sys.argv[1:] = command
    try:
        main()
    except SystemExit as end:
        status = 0 if end.code is None else end.code
    sys.stdout.flush()
    print(f"@{status}", file=sys.stderr, flush=True)
for number, cat in enumerate(shown, 1):
    os.close(number)
    cat.wait()
"""


def run_commands(commands, folder, seconds=SECONDS, largest_file=0):
    """Run command lines one after the other, in a folder and with its models.

    Args:
        commands: Lists of what follows `textgen`.
        folder: The working folder; models are in its folder `models`.
        seconds: How long they may take in all.
        largest_file: Number of bytes after which a file is full, as on a full disk; 0 for none.

    Returns:
        The exit statuses of those that ended, what was printed, and how the process ended:
        negative if by a signal, `None` if it had to be.
    """
    shown = folder / "shown"
    shown.mkdir(exist_ok=True)
    environment = clean_environment(TEXTGEN_MODELS=str(folder / "models"), HOME=str(folder))
    arguments = [json.dumps(commands), str(folder), str(largest_file)]
    process = ForkedPython(PROGRAM, arguments, environment, shown)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        end = None
    else:
        end = process.returncode
    outputs = [
        Path(path).read_bytes().decode("utf-8", "backslashreplace") for path in process.shown
    ]
    for path in process.shown:
        Path(path).unlink()
    marks = [line for line in outputs[1].splitlines() if line.startswith("@")]
    return [int(mark[1:]) for mark in marks], "".join(outputs), end


def flaw_of(commands, folder, statuses=(0, 1, 2), **options):
    """Run command lines as `run_commands` does; return what is wrong, or `None`."""
    ended, shown, end = run_commands(commands, folder, **options)
    if len(ended) < len(commands):
        what = "hangs" if end is None else f"ends with {end}"
        return f"{' '.join(commands[len(ended)])} {what}: {shown[-300:]!r}"
    for command, status in zip(commands, ended, strict=True):
        if status not in statuses:
            return f"{' '.join(command)} ends with {status}: {shown[-300:]!r}"
    for sign in FORBIDDEN:
        if sign in shown:
            start = max(0, shown.index(sign) - 200)
            return f"it shows {sign!r}: {shown[start : start + 500]!r}"
    if CANARY.exists():
        CANARY.unlink()
        return "it writes a file"
    if ["list"] in commands and (folder / "models" / "other").exists() and "other" not in shown:
        return "list hides the other model"
    return None
