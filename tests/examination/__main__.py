"""Try hostile and damaged files, bad command lines, load and full disks, and count what fails.

    python -m tests.examination [--mutations 300] [--only KIND] [--keep FOLDER]

trains and imports a few small models, then gives each case a copy of one and runs commands on
it, each in a process of its own. A case is mishandled if a command hangs, crashes, shows a
traceback or an escape, says that something should not happen, writes a file that it should not,
or hides the other model from `textgen list`. With --keep, what was tried is remembered, and the
next call goes on from there.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.examination import endurance
from tests.examination.command_lines import command_lines
from tests.examination.commands import flaw_of
from tests.examination.hostile_files import HOSTILE_FILES
from tests.examination.hostile_graphs import HOSTILE_GRAPHS, make_hostile
from tests.examination.hostile_runs import HOSTILE_RUNS
from tests.examination.hostile_sources import HOSTILE_SOURCES
from tests.examination.mutations import mutate
from tests.examination.subjects import prepare
from textgen.arrays import read_archive

VERSION_COMMANDS = [
    ["list"],
    ["info", "mine"],
    ["generate", "a", "-m", "mine", "-n", "3"],
    ["score", "-m", "mine", "text.txt"],
    ["export", "mine", "--to", "published"],
    ["export", "mine", "--check"],
]
# What a run's files are read by; the run has ended, so that resuming it says so.
RUN_COMMANDS = [
    ["list"],
    ["info", "mine"],
    ["trace", "text.txt", "-m", "mine"],
    ["train", "corpus.txt", "--resume", "--name", "mine"],
]
# What a teacher predicted is read when there are steps to take.
PUPIL_COMMANDS = [
    ["info", "mine"],
    ["train", "corpus.txt", "--resume", "--name", "mine", "--max-steps", "21"],
]


class Examination:
    """Cases on copies of the models in a folder.

    Args:
        folder: The folder, with what `prepare` has made.
    """

    def __init__(self, folder):
        self._folder = folder

    def on_copy(self, subject, change, commands):
        """Return what is wrong when commands use a changed copy of a model's folder."""
        with tempfile.TemporaryDirectory(prefix="case-", dir=self._folder) as name:
            folder = Path(name)
            for file in ("corpus.txt", "text.txt"):
                shutil.copy(self._folder / file, folder)
            models = self._folder / "models"
            shutil.copytree(models / "mine" / "1", folder / "models" / "other" / "1")
            change(shutil.copytree(models / subject, folder / "models" / "mine"))
            return flaw_of(commands, folder)

    def graphs(self):
        for name, change in HOSTILE_GRAPHS.items():
            yield (
                name,
                lambda c=change: self.on_copy(
                    "mine", lambda path: make_hostile(path / "1", c), VERSION_COMMANDS
                ),
            )

    def files(self):
        for name, change in HOSTILE_FILES.items():
            yield (
                name,
                lambda c=change: self.on_copy("mine", lambda path: c(path / "1"), VERSION_COMMANDS),
            )

    def runs(self):
        for name, (subject, commands, change) in HOSTILE_RUNS.items():
            yield name, lambda s=subject, r=commands, c=change: self.on_copy(s, c, r)

    def sources(self):
        """Published models to import."""
        for name, change in HOSTILE_SOURCES.items():

            def import_it(change=change):
                with tempfile.TemporaryDirectory(prefix="case-", dir=self._folder) as scratch:
                    folder = Path(scratch)
                    shutil.copytree(self._folder / "source", folder / "source")
                    change(folder / "source")
                    commands = [["import", "source", "--name", "it"], ["info", "it"], ["list"]]
                    return flaw_of(commands, folder)

            yield name, import_it

    def mutations(self, subject, below, count, commands):
        """Random damage to every file in a part of a model's folder, one of each in turn.

        `checkpoints` damages those of a run: for a command, each would train and export again.
        """
        root = self._folder / "models" / subject
        files = sorted(
            file for file in (root / below).rglob("*") if file.is_file() and file.suffix != ".npz"
        )
        for seed in range(count):
            for file in files:
                relative = file.relative_to(root)

                def damage(path, relative=relative, seed=seed):
                    content = (path / relative).read_bytes()
                    mutated, _ = mutate(content, random.Random(f"{relative} {seed}"))
                    (path / relative).write_bytes(mutated)

                yield (
                    f"{subject}/{relative}, seed {seed}",
                    lambda d=damage: self.on_copy(subject, d, commands),
                )

    def checkpoints(self, count):
        """Random damage to a checkpoint: it is read as it was, or not at all."""
        folder = self._folder / "models" / "mine" / "train" / "checkpoints"
        for path in sorted(folder.glob("*.npz")):
            content, true = path.read_bytes(), read_archive(path)
            for seed in range(count):
                yield (
                    f"{path.name}, seed {seed}",
                    lambda c=content, t=true, s=seed: self._read_damaged(c, t, s),
                )

    def _read_damaged(self, content, true, seed):
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="case-") as file:
            file.write(mutate(content, random.Random(seed))[0])
            file.flush()
            try:
                found = read_archive(Path(file.name))
            except (OSError, ValueError):
                return None
        same = found.keys() == true.keys()
        same = same and all(np.array_equal(found[name], true[name]) for name in true)
        return None if same else "it is read as another one"

    def command_lines(self, count=500):
        with tempfile.TemporaryDirectory(prefix="case-", dir=self._folder) as name:
            for number, arguments in enumerate(command_lines(count)):
                yield f"{number}: {arguments}", lambda a=arguments: self._run_bad(a, Path(name))

    def _run_bad(self, arguments, folder):
        shutil.copytree(self._folder, folder, dirs_exist_ok=True, ignore=_ignore_cases)
        if not (folder / "loop").is_symlink():
            (folder / "loop").symlink_to("loop")
        (folder / "secret").mkdir(exist_ok=True)
        flaw = flaw_of([arguments], folder)
        shutil.rmtree(folder / "models")
        return flaw

    def calls(self, count=10_000):
        yield (
            f"{count} calls",
            lambda: endurance.calls(self._folder / "models" / "mine" / "1", count),
        )

    def threads(self):
        def call():
            return "; ".join(endurance.threads(self._folder / "models" / "mine" / "1")) or None

        yield "8 threads, 480 calls", call

    def full_disks(self):
        """Files that cannot grow past a number of bytes, in everything that writes."""
        commands = [
            ["train", "corpus.txt", "--name", "mine", "--max-steps", "4", "--size", "tiny"],
            ["import", "source", "--name", "it"],
            ["export", "mine", "--to", "published"],
            ["evaluate", "mine", "text.txt", "--no-baselines", "--save"],
            ["generate", "a", "-m", "mine", "-n", "3", "-i", "--save", "text.out"],
            ["report", "mine", "-o", "report.html"],
        ]
        for command in commands:
            for size in (1, 300, 1_000, 10_000, 100_000):

                def fill(command=command, size=size):
                    with tempfile.TemporaryDirectory(prefix="case-", dir=self._folder) as name:
                        folder = Path(name)
                        shutil.copytree(
                            self._folder, folder, dirs_exist_ok=True, ignore=_ignore_cases
                        )
                        flaw = flaw_of([command, ["list"]], folder, largest_file=size)
                        return flaw or _unpublished(folder)

                yield f"{command[0]} on a disk full after {size} bytes", fill


def _ignore_cases(folder, names):
    return [name for name in names if name.startswith(("case-", "shown", "tried"))]


def _unpublished(folder):
    left = [path.name for path in folder.rglob(".unpublished*")]
    return f"it leaves {left}" if left else None


def kinds_of(examination, mutations):
    """Return the cases of every kind, by its name."""
    # By chance, a random model may write control characters, which a pipe gets as they are.
    of_theirs = [["chat", "-m", "mine"], ["generate", "a", "-m", "mine", "-n", "3", "-t", "0"]]
    return {
        "hostile graphs": examination.graphs(),
        "hostile files of a version": examination.files(),
        "hostile files of a run": examination.runs(),
        "hostile sources of an import": examination.sources(),
        "bad command lines": examination.command_lines(),
        "full disks": examination.full_disks(),
        "threads": examination.threads(),
        "calls": examination.calls(),
        "mutations of a version": examination.mutations(
            "mine", "1", mutations, VERSION_COMMANDS[:-1]
        ),
        "mutations of checkpoints": examination.checkpoints(mutations),
        "mutations of a run": examination.mutations("mine", "train", mutations, RUN_COMMANDS),
        "mutations of an imported model": examination.mutations(
            "theirs", "1", mutations, of_theirs
        ),
        "mutations of a run with a parent": examination.mutations(
            "taught", "train", mutations, RUN_COMMANDS
        ),
        "mutations of a run with a teacher": examination.mutations(
            "pupil", "train/teacher", mutations, PUPIL_COMMANDS
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=300, help="Damages per file.")
    parser.add_argument("--only", action="append", help="A kind to try; may be repeated.")
    parser.add_argument("--keep", type=Path, help="Folder to go on in.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textgen-") as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        prepare(folder)
        kinds = kinds_of(Examination(folder), options.mutations)
        for kind in options.only or kinds:
            examine(kind, kinds[kind], folder / "tried.jsonl")
        sys.exit(print_table(folder / "tried.jsonl", kinds))


def examine(kind, cases, record):
    """Try the cases of a kind that were not tried before, and record each."""
    tried = {(case["kind"], case["name"]) for case in read(record)}
    started = time.monotonic()
    for number, (name, case) in enumerate(cases, start=1):
        if (kind, name) in tried:
            continue
        flaw = case()
        if flaw:
            print(f"{kind}: {name}: {flaw}", flush=True)
        with record.open("a") as file:
            file.write(json.dumps({"kind": kind, "name": name, "flaw": flaw}) + os.linesep)
        if number % 50 == 0:
            seconds = time.monotonic() - started
            print(f"{kind}: {number} tried, {seconds:.0f} s", file=sys.stderr, flush=True)


def read(record):
    """Return what was tried."""
    return [json.loads(line) for line in record.open()] if record.exists() else []


def print_table(record, kinds):
    """Print how many cases of each kind were tried and mishandled; return whether any was."""
    tried = read(record)
    print(f"{'':34}{'tried':>8}{'mishandled':>12}")
    for kind in kinds:
        flaws = [case["flaw"] for case in tried if case["kind"] == kind]
        if flaws:
            print(f"{kind:34}{len(flaws):8}{sum(map(bool, flaws)):12}")
    return any(case["flaw"] for case in tried)


if __name__ == "__main__":
    main()
