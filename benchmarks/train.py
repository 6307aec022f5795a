"""How fast textgen trains, beside the same models in PyTorch, eager and compiled.

    python benchmarks/train.py corpus.txt --torch-python PATH [--model lstm] [--compile]

Every side is a process of its own, which stays alive and trains some steps when it is
told to. They take turns, so that noise of the machine hits all of them. Everything runs
on the CPU, on all of its cores; see README.md beside this file for what is compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Generator
from pathlib import Path

from settings import SETTINGS, Setting, Tokens, read_tokens
from workers import has_torch, receive, worker

_OPTIMIZERS = ("adamw", "muon")
_TORCH_SIDES = {"torch": "torch adamw", "torch-compile": "torch.compile"}
_WARMUP_STEPS = 30  # compilation is part of the first of them


def main() -> None:
    args = _parse_args()
    tokens = read_tokens(args.corpus)  # a damaged corpus should fail here, not in three workers
    setting = SETTINGS[args.model]
    if args.worker in _TORCH_SIDES:
        _serve_torch(setting, tokens, compile=args.worker == "torch-compile")
    elif args.worker:
        _serve_textgen(setting, tokens, args.worker)
    else:
        _compare(args)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument(
        "--torch-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has torch and transformers (default: the one that runs this)",
    )
    parser.add_argument("--model", choices=tuple(SETTINGS), default="transformer")
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    parser.add_argument("--rounds", type=_positive, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=_positive, default=4, help="a round; default: 4")
    parser.add_argument("--worker", choices=(*_TORCH_SIDES, *_OPTIMIZERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def _positive(text: str) -> int:
    with contextlib.suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 1 up. Received: {text!r}")


def _compare(args: argparse.Namespace) -> None:
    torch_sides = list(_TORCH_SIDES)[: 2 if args.compile else 1]
    sides = (torch_sides if has_torch(args.torch_python) else []) + list(_OPTIMIZERS)
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in sides:
            python = args.torch_python if name in _TORCH_SIDES else sys.executable
            arguments = (__file__, str(args.corpus), "--model", args.model, "--worker", name)
            process = stack.enter_context(worker(python, *arguments))
            receive(process, name)  # warm; one after the other, compilation takes all cores
            workers[name] = process
        for index in range(args.rounds):
            # There and back again: no side always follows the same other side.
            for name in list(workers)[:: 1 if index % 2 == 0 else -1]:
                workers[name].stdin.write(f"{args.seconds}\n")
                workers[name].stdin.flush()
                result = receive(workers[name], name)
                speeds[name].append(result["steps"] / result["seconds"])
                print(json.dumps({"round": index + 1, "side": name, **result}), flush=True)
    _print_speeds(speeds)


def _print_speeds(speeds: dict[str, list[float]]) -> None:
    base = speeds.get("torch")
    print(f"\n{'':16}{'steps/s':>10}{'min':>8}{'max':>8}{'x torch':>10}")
    for name, values in speeds.items():
        label = _TORCH_SIDES.get(name, f"textgen {name}")
        row = f"{label:16}{statistics.median(values):10.1f}{min(values):8.1f}{max(values):8.1f}"
        if base:
            # Of each round by itself: its two sides ran next to each other.
            ratios = [ours / theirs for ours, theirs in zip(values, base, strict=True)]
            row += f"{statistics.median(ratios):10.2f}"
        print(row)


# The sides that train.


def _serve() -> Generator[None, int, None]:
    """Warm up, then train for as many seconds as each line says, and print how many steps it was.

    Yields whenever it wants more steps to be done; is sent how many were.
    """
    done = 0
    while done < _WARMUP_STEPS:
        done += yield
    print(json.dumps({"warm_after": done}), flush=True)
    for line in sys.stdin:
        yield  # caches went cold while the others ran
        started = time.perf_counter()
        done = 0
        while (seconds := time.perf_counter() - started) < int(line):
            done += yield
        print(json.dumps({"steps": done, "seconds": seconds}), flush=True)


def _serve_torch(setting: Setting, tokens: Tokens, *, compile: bool) -> None:
    from torch_side import Torch

    server = _serve()
    next(server)
    with contextlib.suppress(StopIteration):  # no more orders
        for _ in Torch(setting, tokens.training, tokens.vocab_size, compile=compile).steps():
            server.send(1)


def _serve_textgen(setting: Setting, tokens: Tokens, optimizer: str) -> None:
    from textgen_side import fit

    from textgen.reporter import Progress, Reporter

    server = _serve()
    next(server)

    class Turnstile(Reporter):
        """Answers from within `Trainer.fit`, so that its whole loop is timed."""

        step = 0

        def progress(self, progress: Progress) -> None:
            done, self.step = progress.step - self.step, progress.step
            server.send(done)

    with contextlib.suppress(StopIteration):  # no more orders
        fit(setting, tokens, optimizer, max_steps=10**6, reporter=Turnstile())


if __name__ == "__main__":
    main()
