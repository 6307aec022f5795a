"""Whether a time budget is kept while other programs use the processor, and what is learned.

    python benchmarks/busy.py corpus.txt --budget 2m --runs 10

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TEXTGEN = [sys.executable, "-m", "textgen.cli"]
_BITS_PER_NAT = 1.4426950408889634


@dataclass(frozen=True)
class _Run:
    """One training: how long it took, what was promised, what came out."""

    seconds: float
    promised: int
    steps: int
    nats_per_character: float
    text: str

    def print(self, name: str) -> None:
        loss = self.nats_per_character
        print(
            f"{name:<8}{self.seconds:7.1f} s{self.steps:7,} steps ({self.promised:,} promised)"
            f"{loss:8.3f} nats per character ({loss * _BITS_PER_NAT:.3f} bits)  {self.text!r}",
            flush=True,
        )


def main() -> None:
    args = _parse_args()
    idle = None
    if not args.no_idle:
        idle = _train(args.corpus, args.budget)
        idle.print("idle")
    runs = []
    with _busy_processes(args.processes):
        for number in range(1, args.runs + 1):
            runs.append(_train(args.corpus, args.budget))
            runs[-1].print(f"busy {number}")
    if runs:
        seconds = [run.seconds for run in runs]
        losses = [run.nats_per_character for run in runs]
        print(f"busy: {min(seconds):.1f} to {max(seconds):.1f} s", end="")
        above = f", at most {max(losses) - idle.nats_per_character:+.3f} nats" if idle else ""
        print(f"{above} per character above idle" if idle else "")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--budget", default="2m", help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="beside them; default: %(default)s")
    parser.add_argument("--processes", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--no-idle", action="store_true", help="leave out the idle run")
    return parser.parse_args()


@contextlib.contextmanager
def _busy_processes(count: int) -> Iterator[None]:
    """Keep cores busy until the end of the block."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _train(corpus: Path, budget: str) -> _Run:
    """Train in a folder of its own, with no option but the budget."""
    with tempfile.TemporaryDirectory() as folder:
        places = ["--models-dir", folder]
        train = [*_TEXTGEN, "train", str(corpus), "--name", "busy", "--time-budget", budget]
        started = time.monotonic()
        done = subprocess.run([*train, *places], check=True, capture_output=True, text=True)
        seconds = time.monotonic() - started
        promised = re.search(r"([\d,]+) steps of about", done.stderr)
        info = [*_TEXTGEN, "info", "busy", "--json", *places]
        card = json.loads(subprocess.run(info, check=True, capture_output=True).stdout)
        generate = [*_TEXTGEN, "generate", "-n", "60", "--seed", "1", *places]
        text = subprocess.run(generate, check=True, capture_output=True, text=True, input="").stdout
    return _Run(
        seconds,
        int(promised[1].replace(",", "")) if promised else 0,
        card["steps"],
        card["bits_per_character"] / _BITS_PER_NAT,
        text[:150],
    )


if __name__ == "__main__":
    main()
