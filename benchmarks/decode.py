"""How fast textgen generates, beside transformers, CTranslate2, PyTorch and llama.cpp.

    python benchmarks/decode.py [--peers-python PATH] [--llama-bench PATH]

The models are trained for one step: what they generate doesn't matter, how long it takes does.
Every side is a process that stays alive; they take turns, so that noise of the machine slows all of
them. Everything runs on the CPU; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from decode_sides import CHARACTERS, PROMPT, SHAPES, SIDES

_TRANSFORMER_PEERS = ("transformers", "ctranslate2", "llama.cpp")
# Model, batch, new tokens, peers.
SPEEDS = [
    ("transformer-0.8M", 1, 200, _TRANSFORMER_PEERS),
    ("transformer-0.8M", 64, 200, ("transformers", "ctranslate2")),
    ("transformer-10.6M", 1, 100, _TRANSFORMER_PEERS),
    ("lstm-2x256", 1, 1_000, ("torch",)),
    ("lstm-2x256", 1, 20_000, ()),
]


def main() -> None:
    args = _parse_args()
    if args.worker:
        SIDES[args.worker](args.models)
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        _export(models)
        if args.only in (None, "speed"):
            _compare_speed(args, models)
        if args.only in (None, "start"):
            _compare_start(args, models)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--peers-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has torch, transformers and ctranslate2 (default: this one)",
    )
    parser.add_argument(
        "--llama-bench", metavar="PATH", type=Path, help="llama.cpp's benchmark program"
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--only", choices=("speed", "start"), help="default: both")
    parser.add_argument("--worker", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--models", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _export(models: Path) -> None:
    """Export models that took one step of training: their weights are as good as random."""
    corpus = models / "characters.txt"
    corpus.write_text(CHARACTERS * 60, encoding="utf-8")
    for name, shape in SHAPES.items():
        command = [_textgen(), "train", str(corpus), "--name", name, "--models-dir", str(models)]
        command += ["--model", shape.architecture, "--num-layers", str(shape.num_layers)]
        command += ["--hidden-dim", str(shape.hidden_dim), "--tokenizer", "character"]
        command += ["--context-length", str(shape.context_length), "--no-jit-compile"]
        command += ["--max-steps", "1", "--batch-size", "1"]
        if shape.architecture == "transformer":
            command += ["--num-heads", str(shape.num_heads)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _peers(args: argparse.Namespace) -> list[str]:
    peers = ["transformers", "ctranslate2", "torch"]
    if args.llama_bench:
        os.environ["LLAMA_BENCH"] = str(args.llama_bench)
        peers.append("llama.cpp")
    return peers


def _compare_speed(args: argparse.Namespace, models: Path) -> None:
    with contextlib.ExitStack() as stack:
        workers = {"textgen": stack.enter_context(_start(sys.executable, "textgen", models))}
        for peer in _peers(args):
            process = stack.enter_context(_start(args.peers_python, peer, models))
            if _ask(process, {}) == "ready":
                workers[peer] = process
            else:
                print(f"{peer}: not installed in {args.peers_python}, left out")
        if _ask(workers["textgen"], {}) != "ready":
            sys.exit("the textgen side could not start")
        for model, batch, tokens, peers in SPEEDS:
            sides = ["textgen", *(peer for peer in peers if peer in workers)]
            order = {"model": model, "batch": batch, "tokens": tokens}
            seconds: dict[str, list[float]] = {side: [] for side in sides}
            for side in sides:
                _ask(workers[side], {**order, "tokens": 16})  # warm
            for index in range(args.rounds):
                for side in sides[:: 1 if index % 2 == 0 else -1]:
                    seconds[side].append(_ask(workers[side], order))
            print(f"\n{model}, batch {batch}, {tokens:,} tokens")
            for side in sides:
                speed = batch * tokens / statistics.median(seconds[side])
                pairs = zip(seconds[side], seconds["textgen"], strict=True)
                ratio = statistics.median(theirs / ours for theirs, ours in pairs)
                print(f"  {side:14} {speed:9,.0f} tokens/s   textgen is {ratio:5.2f} x as fast")


def _compare_start(args: argparse.Namespace, models: Path) -> None:
    textgen = _textgen()
    write = [textgen, "generate", "-m", "transformer-0.8M", "--models-dir", str(models), PROMPT]
    write += ["--max-new-tokens", "200", "--seed", "1"]
    commands: dict[str, Callable[[], tuple[float, float]]] = {
        "import tensorflow": lambda: _run([sys.executable, "-c", "import tensorflow"]),
        "textgen generate": lambda: _run(write),
        "first character": lambda: (_first_character([*write, "--stream"]), 0.0),
        "import click": lambda: _run([sys.executable, "-c", "import click"]),
        "textgen --help": lambda: _run([textgen, "--help"]),
    }
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for index in range(args.rounds + 1):
        for name, run in commands.items():
            result = run()
            if index:  # the first round fills the page cache
                results[name].append(result)

    def ratio(name: str, over: str) -> float:
        pairs = zip(results[name], results[over], strict=True)
        return statistics.median(mine[0] / theirs[0] for mine, theirs in pairs)

    print("\nfrom a cold start")
    for name, values in results.items():
        seconds, megabytes = (statistics.median(column) for column in zip(*values, strict=True))
        memory = f", {megabytes:,.0f} MB at most" if megabytes else ""
        print(f"  {name:18} {seconds:6.3f} s{memory}")
    print(
        f"  generate over import tensorflow  {ratio('textgen generate', 'import tensorflow'):.2f}"
    )
    print(f"  --help over import click         {ratio('textgen --help', 'import click'):.2f}")


def _run(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss / 1024


def _first_character(command: list[str]) -> float:
    """Run a command in a terminal; return the seconds to the first character after the prompt."""
    master, slave = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL)
    os.close(slave)
    seen = b""
    while len(seen) <= len(PROMPT):
        seen += os.read(master, 1024)
    seconds = time.perf_counter() - start
    with contextlib.suppress(OSError):  # the terminal of a process that has ended
        while os.read(master, 1024):
            pass
    process.wait()
    os.close(master)
    return seconds


def _textgen() -> str:
    return str(Path(sys.executable).with_name("textgen"))


def _worker(python: str, name: str, models: Path) -> list[str]:
    return [python, __file__, "--worker", name, "--models", str(models)]


@contextlib.contextmanager
def _start(python: str, name: str, models: Path) -> Iterator[subprocess.Popen[str]]:
    command = _worker(python, name, models)
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _ask(process: subprocess.Popen[str], order: dict[str, Any]) -> Any:
    """Send an order, return the answer; None where the worker has died."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a worker needs its pipes")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        return json.loads(line) if line else None
    return None


if __name__ == "__main__":
    main()
