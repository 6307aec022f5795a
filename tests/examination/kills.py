"""Kill training and export at random moments, and look at what is left.

    python -m tests.examination.kills --kills 30 [--only export] [--seed 0]

prints how many kills of each kind were tried, and how many were mishandled. After a kill,
every model that the folder lists must generate; after the run is resumed, it must have the
weights and the history of a run that was never killed, and its model the same text.
"""

import argparse
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import textgen
from tests.training.forked import ForkedPython, clean_environment
from textgen.training.checkpoints import Checkpoints

CORPUS = "The quick brown fox jumps over the lazy dog. " * 40
CONFIG = textgen.RunConfig(
    model=textgen.ModelConfig(num_layers=1, num_heads=2, hidden_dim=16, context_length=8),
    training=textgen.TrainingConfig(
        max_steps=40, batch_size=4, validate_every=2, jit_compile=False
    ),
)
PROGRAM = """
import json, sys
import textgen
from textgen.errors import CheckpointError
from tests import light_runs

light_runs.without_samples()

class Phases(textgen.Reporter):
    def phase(self, name):
        print(name, flush=True)

corpus, models, config = sys.argv[1:]
try:
    textgen.resume([], "mine", models_dir=models, reporter=Phases())
except CheckpointError as error:
    print(error, flush=True)
    if "no run to resume" in str(error):  # killed before the run was there
        config = textgen.RunConfig.from_dict(json.loads(config))
        textgen.train([corpus], "mine", config, models, reporter=Phases())
"""


class MishandledError(Exception):
    """What a kill left behind is not what was promised."""


class Examination:
    """Runs that are killed, and one that is not.

    Args:
        folder: Folder for all of them.
        seed: Seed of the moments.
    """

    def __init__(self, folder, seed):
        self._folder = folder
        self._moments = random.Random(seed)
        self._corpus = folder / "corpus.txt"
        self._corpus.write_text(CORPUS, "utf-8")
        started = time.monotonic()
        self._finish(folder / "whole")
        self._seconds = time.monotonic() - started
        self._expected = left_by(folder / "whole")
        # A run that only lacks its export.
        self._ended = folder / "ended"
        killed = self._start(self._ended)
        wait_for("exporting", killed)
        killed.kill()
        killed.wait()
        started = time.monotonic()
        shutil.copytree(self._ended, folder / "timed")
        self._finish(folder / "timed")
        self._export_seconds = time.monotonic() - started

    def kill_training(self, number):
        """Kill a run between its start and its end, and resume it."""
        models = self._folder / f"training-{number}"
        process = self._start(models)
        self._kill(process, self._seconds)
        self._check(models)

    def kill_export(self, number):
        """Kill the export of a run that has ended, and resume it."""
        models = self._folder / f"export-{number}"
        shutil.copytree(self._ended, models)
        process = self._start(models)
        wait_for("exporting", process)
        self._kill(process, self._export_seconds)
        self._check(models)

    def _start(self, models):
        arguments = [str(self._corpus), str(models), json.dumps(CONFIG.to_dict())]
        return ForkedPython(PROGRAM, arguments, clean_environment(), self._folder)

    def _kill(self, process, seconds):
        time.sleep(self._moments.uniform(0, seconds))
        process.kill()
        process.wait()

    def _finish(self, models):
        process = self._start(models)
        output, errors = process.communicate(timeout=600)
        if process.returncode:
            raise MishandledError(f"resuming failed: {output}{errors}")

    def _check(self, models):
        for entry in textgen.Catalog(models).entries():
            generate(entry.path)
        self._finish(models)
        found = left_by(models)
        for what, expected in self._expected.items():
            if found[what] != expected:
                raise MishandledError(f"{what}: {found[what]} instead of {expected}")
        shutil.rmtree(models)


def wait_for(phase, process):
    """Wait until a program has printed a line."""
    deadline = time.monotonic() + 600
    while phase not in process.printed().splitlines():
        if process.poll() is not None or time.monotonic() > deadline:
            raise MishandledError(f"never came to {phase}: {process.communicate(timeout=0)}")
        time.sleep(0.002)


def generate(path):
    """Return the text that an exported model generates from a fixed seed."""
    with textgen.load(path) as model:
        return model.generate("The ", seed=0, max_new_tokens=40).text


def left_by(models):
    """Return what a run that has ended left, in a form that can be compared."""
    folder = models / "mine"
    checkpoints = Checkpoints(folder / "train" / "checkpoints")
    history = (folder / "train" / "history.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in history]
    for record in records:
        del record["tokens_per_second"]  # no two runs share it
    return {
        "folders": sorted(path.name for path in folder.iterdir() if path.is_dir()),
        "newest weights": digest(checkpoints.load_newest()[0]),
        "best weights": digest(checkpoints.load_best()[0]),
        "history": records,
        "text": generate(folder / "1"),
    }


def digest(arrays):
    """Return a digest of arrays and their names."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        content.update(name.encode() + np.asarray(arrays[name]).tobytes())
    return content.hexdigest()


def examine(kills, seed, folder, kinds=("training", "export"), progress=lambda line: None):
    """Kill each kind of process as often; return (kind, tried, complaints) for each."""
    examination = Examination(folder, seed)
    results = []
    for kind in kinds:
        complaints = []
        for number in range(kills):
            try:
                getattr(examination, f"kill_{kind}")(number)
            except (MishandledError, textgen.TextgenError) as error:
                complaints.append(f"kill {number} of {kind}: {error}")
                progress(complaints[-1])
            progress(f"{kind}: {number + 1} of {kills} kills, {len(complaints)} mishandled")
        results.append((f"kills of {kind}", kills, complaints))
    return results


def print_progress(line):
    print(line, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="Kills of each kind.")
    parser.add_argument("--only", choices=["training", "export"], help="One kind alone.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the moments.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="textgen-") as folder:
        kinds = [options.only] if options.only else ["training", "export"]
        results = examine(options.kills, options.seed, Path(folder), kinds, print_progress)
    print(f"{'':20} tried  mishandled")
    for kind, tried, complaints in results:
        print(f"{kind:20} {tried:5}  {len(complaints):10}")
    complaints = [complaint for *_, found in results for complaint in found]
    for complaint in complaints:
        print(complaint)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
