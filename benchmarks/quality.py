"""What textgen has learned after so many steps or seconds, beside GPT-2 in eager PyTorch.

    python benchmarks/quality.py corpus.txt steps [--seeds 0 1 2]
    python benchmarks/quality.py corpus.txt race --torch-python PATH
    python benchmarks/quality.py corpus.txt budgets --budgets 131s 10m
    python benchmarks/quality.py corpus.txt start

See README.md beside this file for what each of them measures.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from settings import SETTINGS, Tokens, read_tokens
from workers import receive, worker

_SETTING = SETTINGS["transformer"]
_EVERY = 100  # steps between the points of a curve


def main() -> None:
    started = time.perf_counter()  # a worker's imports count, the interpreter's start does not
    args = _parse_args()
    if args.worker:
        {"torch": _torch_curve, "textgen": _textgen_curve}[args.worker](args, started)
    else:
        read_tokens(args.corpus)  # a damaged corpus should fail here, not in a worker
        {"steps": _steps, "race": _race, "budgets": _budgets, "start": _start}[args.what](args)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("what", choices=("steps", "race", "budgets", "start"))
    parser.add_argument(
        "--torch-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has torch and transformers (default: the one that runs this)",
    )
    parser.add_argument("--steps", type=int, default=2000, help="default: %(default)s")
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="muon")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    parser.add_argument("--budgets", nargs="+", default=["131s", "10m"], help="default: 131s 10m")
    parser.add_argument(
        "--target", type=float, help="of the race, nats per character (default: where torch ends)"
    )
    parser.add_argument("--output", type=Path, help="JSON Lines file that curves are added to")
    parser.add_argument("--worker", choices=("torch", "textgen"), help=argparse.SUPPRESS)
    return parser.parse_args()


# After so many steps, and the race: curves of whole runs.


def _steps(args: argparse.Namespace) -> None:
    losses = []
    for seed in args.seeds:
        points = _curve(args, "textgen", sys.executable, seed)
        losses.append(points[-1]["validation_loss"])
        seconds = points[-1]["seconds"]
        print(f"seed {seed}: {losses[-1]:.4f} nats per character after {seconds:.0f} s")
    print(f"median {statistics.median(losses):.4f}")


def _race(args: argparse.Namespace) -> None:
    sides = {"torch": args.torch_python, "textgen": sys.executable}
    curves = {side: _curve(args, side, python, args.seeds[0]) for side, python in sides.items()}
    target = args.target or curves["torch"][-1]["validation_loss"]
    times = {}
    for side, points in curves.items():
        last = points[-1]
        first = next((p for p in points if p["validation_loss"] <= target), None)
        if not first:
            sys.exit(f"{side} ended at {last['validation_loss']:.3f}; try more --steps.")
        times[side] = first["seconds"]
        print(
            f"{side}: {target:.3f} after {first['seconds']:.1f} s and {first['step']} steps, "
            f"{last['validation_loss']:.3f} after {last['seconds']:.1f} s and {last['step']} steps"
        )
    print(f"textgen over torch: {times['textgen'] / times['torch']:.2f}")


def _curve(args: argparse.Namespace, side: str, python: str, seed: int) -> list[dict[str, Any]]:
    """Return step, seconds without validations, and validation loss of a whole run."""
    arguments = [__file__, str(args.corpus), args.what, "--worker", side]
    arguments += ["--steps", str(args.steps), "--seeds", str(seed), "--optimizer", args.optimizer]
    with worker(python, *arguments) as process:
        points = receive(process, side)["points"]
    if args.output:
        with args.output.open("a") as file:
            optimizer = {"adamw": "AdamW", "muon": "Muon"}[args.optimizer]
            label = "PyTorch, AdamW" if side == "torch" else f"textgen, {optimizer}"
            file.write(json.dumps({"label": label, "points": points}) + "\n")
    return points


def _torch_curve(args: argparse.Namespace, started: float) -> None:
    from torch_side import Torch

    tokens = read_tokens(args.corpus)
    side = Torch(_SETTING, tokens.training, tokens.vocab_size, args.steps)
    points = []
    for step in side.steps():
        if step % _EVERY == 0 or step == args.steps:
            stopped = time.perf_counter()
            loss = side.validation_loss(tokens.validation)
            points.append({"step": step, "seconds": stopped - started, "validation_loss": loss})
            started += time.perf_counter() - stopped
        if step == args.steps:
            break
    print(json.dumps({"points": points}), flush=True)


def _textgen_curve(args: argparse.Namespace, started: float) -> None:
    from textgen_side import fit

    from textgen.reporter import Reporter, Validation

    tokens: Tokens = read_tokens(args.corpus)
    points: list[dict[str, float]] = []

    class Notes(Reporter):
        """Stops the clock while it validates."""

        stopped = lost = 0.0

        def phase(self, phase: str) -> None:
            if phase == "validating":
                self.stopped = time.perf_counter()

        def validation(self, validation: Validation) -> None:
            seconds = self.stopped - started - self.lost
            loss = validation.validation_loss
            points.append({"step": validation.step, "seconds": seconds, "validation_loss": loss})
            self.lost += time.perf_counter() - self.stopped

    fit(
        _SETTING,
        tokens,
        args.optimizer,
        args.steps,
        seed=args.seeds[0],
        validate_every=_EVERY,
        reporter=Notes(),
    )
    print(json.dumps({"points": points}), flush=True)


# The command itself.


def _budgets(args: argparse.Namespace) -> None:
    for budget in args.budgets:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            subprocess.run(_train_command(args, folder, "--time-budget", budget), check=True)
            seconds = time.perf_counter() - started
            card = json.loads((Path(folder) / "run/1/assets.extra/textgen.json").read_text())
        bits = card["bits_per_character"]
        nats = bits * math.log(2)
        print(f"{budget}: {bits:.3f} bits, {nats:.3f} nats per character after {seconds:.0f} s")


def _start(args: argparse.Namespace) -> None:
    times = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            _wait_for(b"training ", _train_command(args, folder))
            times.append(time.perf_counter() - started)
    print(f"from the command to the first step: {statistics.median(times):.1f} s, median of 3")


def _train_command(args: argparse.Namespace, folder: str, *options: str) -> list[str]:
    command = [sys.executable, "-m", "textgen.cli", "train", str(args.corpus), "--name", "run"]
    return [*command, "--models-dir", folder, *options]


def _wait_for(shown: bytes, command: list[str]) -> None:
    """Run a command on a terminal until it shows something; then kill it."""
    own, its = pty.openpty()
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its)
    os.close(its)
    screen = b""
    try:
        while shown not in screen:
            screen += os.read(own, 65536)
    except OSError:  # the other end is closed
        sys.exit(screen.decode(errors="replace"))
    finally:
        process.kill()
        process.wait()
        os.close(own)


if __name__ == "__main__":
    main()
