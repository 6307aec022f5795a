"""Try hostile and damaged models through the command line, and count what is mishandled.

    python -m tests.examination MODELS/NAME/1 [NUM_MUTATIONS]

The argument is a model that was trained on a few lines; each case gets a copy of it. A case is
mishandled if a command hangs, crashes, shows a traceback or an escape, says that something
should not happen, writes the canary, or hides the other model from `textgen list`.
"""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.examination.hostile_files import HOSTILE_FILES
from tests.examination.hostile_graphs import CANARY, HOSTILE_GRAPHS, make_hostile
from tests.examination.mutations import mutate

COMMANDS = (
    ["list"],
    ["info", "mine"],
    ["generate", "a", "-m", "mine", "-n", "3"],
    ["score", "-m", "mine", "TEXT"],
    ["export", "mine", "--to", "PUBLISHED"],
    ["export", "mine", "--check"],
)
SECONDS = 120
# What no output may hold: ESC, BEL and the control characters of Latin-1.
FORBIDDEN = ("Traceback", "should not happen", "\x1b", "\x07", "\x9b")


def run_command(command, folder):
    """Return what is wrong with a command's end, or `None`."""
    places = {"TEXT": str(folder / "text.txt"), "PUBLISHED": str(folder / "published")}
    arguments = [places.get(argument, argument) for argument in command]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "textgen.cli", *arguments],
            env={"PATH": "/usr/bin:/bin", "TEXTGEN_MODELS": str(folder / "models")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{command[0]} hangs"
    shown = (done.stdout + done.stderr).decode("utf-8", errors="backslashreplace")
    if done.returncode not in (0, 1, 2):
        return f"{command[0]} ends with {done.returncode}"
    for sign in FORBIDDEN:
        if sign in shown:
            return f"{command[0]} shows {sign!r}: {shown[-300:]!r}"
    if command[0] == "list" and "other" not in shown:
        return "list hides the other model"
    if CANARY.exists():
        CANARY.unlink()
        return f"{command[0]} writes a file"
    return None


def examine(model, change, commands=COMMANDS):
    """Return what is wrong when a changed copy of a model is used."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "text.txt").write_text("a text")
        shutil.copytree(model, folder / "models" / "other" / "1")
        path = shutil.copytree(model, folder / "models" / "mine" / "1")
        change(path)
        return next(filter(None, (run_command(command, folder) for command in commands)), None)


def cases(model, num_mutations):
    """Yield the kind and name of each case, and the change that it makes."""
    for name, change in HOSTILE_GRAPHS.items():
        yield "hostile graphs", name, lambda path, change=change: make_hostile(path, change)
    for name, change in HOSTILE_FILES.items():
        yield "hostile files", name, change
    for file in sorted(file for file in model.rglob("*") if file.is_file()):
        relative = file.relative_to(model)
        for seed in range(num_mutations):

            def damage(path, relative=relative, seed=seed):
                content = (path / relative).read_bytes()
                mutated, _ = mutate(content, random.Random(f"{relative} {seed}"))
                (path / relative).write_bytes(mutated)

            yield "mutations", f"{relative}, seed {seed}", damage


def main(model, num_mutations=5):
    """Try everything, and print a table."""
    counts = {}
    started = time.monotonic()
    for kind, name, change in cases(Path(model), int(num_mutations)):
        flaw = examine(model, change)
        tried, mishandled = counts.get(kind, (0, 0))
        counts[kind] = (tried + 1, mishandled + bool(flaw))
        if flaw:
            print(f"{kind}: {name}: {flaw}", flush=True)
    print(f"{'':20}{'tried':>8}{'mishandled':>12}")
    for kind, (tried, mishandled) in counts.items():
        print(f"{kind:20}{tried:8}{mishandled:12}")
    print(f"{time.monotonic() - started:.0f} s")
    return any(mishandled for _, mishandled in counts.values())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
