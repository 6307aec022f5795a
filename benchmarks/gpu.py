"""What textgen does on a GPU, beside PyTorch: answers in the order of their weight.

    python benchmarks/gpu.py shakespeare.txt --output gpu.json [--torch-python PATH]
    python benchmarks/gpu.py shakespeare.txt --output try.json --try-out

Every answer is saved at once, so that a machine that is lent for a quarter of an hour may be taken
away at any time. `--try-out` does everything at tiny sizes, on any machine. See README.md beside
this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from settings import Setting, read_tokens
from workers import has_torch, receive, worker

_NANOGPT = Setting("transformer", 6, 6, 384, 256, 64)
_NANOGPT_LOSS = 1.4697  # the best validation that nanoGPT's README reports, nats per character
_LSTM = Setting("lstm", 2, 1, 256, 128, 32)
_TINY = {"num_layers": 1, "hidden_dim": 48, "context_length": 16, "batch_size": 2}
# Shapes that the planner's cost of a step is fitted to.
_COST_SHAPES = [
    Setting("transformer", 4, 4, 128, 64, 64),
    Setting("transformer", 6, 6, 384, 256, 64),
    Setting("transformer", 12, 12, 768, 512, 16),
    Setting("lstm", 2, 1, 256, 128, 64),
    Setting("lstm", 2, 1, 1024, 256, 64),
]
_WARMUP_STEPS = 40  # the first of them are compiled
Answers = Iterator[tuple[str, Any]]


def main() -> None:
    args = _parse_args()
    if args.worker:
        order = json.loads(args.worker)
        {"textgen": _time_textgen, "torch": _time_torch}[order.pop("side")](args, **order)
        return
    read_tokens(args.corpus)  # a damaged corpus should fail here, not in a worker
    args.has_torch = has_torch(args.torch_python)
    answers: dict[str, Any] = {"machine": _machine()}
    for name in args.only or PARTS:
        started = time.perf_counter()
        try:
            for question, answer in PARTS[name](args):
                answers[f"{name}: {question}"] = answer
                print(f"{name}: {question}: {answer}", flush=True)
                args.output.write_text(json.dumps(answers, indent=1))
        except (subprocess.SubprocessError, SystemExit) as error:
            # The parts don't need each other, and the machine may be gone tomorrow.
            print(f"{name}: failed: {error}", flush=True)
        print(f"{name}: took {time.perf_counter() - started:.0f} s", flush=True)
    print("\n| question | answer |\n| --- | ---: |")
    for question, answer in answers.items():
        print(f"| {question} | {answer} |")


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="default: gpu.json")
    parser.add_argument(
        "--torch-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has torch and transformers (default: the one that runs this)",
    )
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), help="default: all parts")
    parser.add_argument("--seconds", type=float, default=8.0, help="per speed; default: 8")
    parser.add_argument("--try-out", action="store_true", help="tiny sizes, to try this program")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def _machine() -> str:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "no GPU"


# The parts. Each yields questions and answers.


def _command(args: argparse.Namespace) -> Answers:
    """The command that a user types, and whether its model writes the same text on the CPU."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        budget = "20s" if args.try_out else "2m"
        _textgen(args, folder, "train", str(args.corpus), "--name", "run", "--time-budget", budget)
        yield f"returned after, {budget} asked for", round(time.perf_counter() - started, 1)
        card = json.loads((Path(folder) / "run/1/assets.extra/textgen.json").read_text())
        yield "bits per character", card["bits_per_character"]
        yield "steps", card["steps"]
        sample = ["generate", "-m", "run", "ROMEO:", "-n", "200", "--seed", "1"]
        texts = {_textgen(args, folder, *sample, hide_gpu=hide) for hide in (False, True)}
        yield "same text with the GPU hidden", len(texts) == 1


def _nanogpt(args: argparse.Namespace) -> Answers:
    """nanoGPT's setting: steps and seconds to its loss; steps per second beside torch.compile."""
    setting = _sized(args, _NANOGPT)
    result = _speed(args, "textgen", setting, dropout=0.2)
    yield "textgen, steps/s", result["steps_per_second"]
    yield "textgen, dtype", result["dtype"]
    if args.has_torch:
        for compiled in (False, True):
            name = "torch.compile" if compiled else "torch"
            result = _speed(args, "torch", setting, compile=compiled)
            yield f"{name}, steps/s", result["steps_per_second"]
    with tempfile.TemporaryDirectory() as folder:
        every, steps = (10, 30) if args.try_out else (250, 5000)
        options = {
            "tokenizer": "character",
            "num-layers": setting.num_layers,
            "num-heads": setting.num_heads,
            "hidden-dim": setting.hidden_dim,
            "context-length": setting.context_length,
            "batch-size": setting.batch_size,
            "dropout": 0.2,
            "max-steps": steps,
            "validate-every": every,
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        started = time.perf_counter()
        _textgen(args, folder, "train", str(args.corpus), "--name", "run", *flags)
        yield "whole run, seconds", round(time.perf_counter() - started, 1)
        lines = (Path(folder) / "run/train/history.jsonl").read_text().splitlines()
        points = [point for line in lines if "validation_loss" in (point := json.loads(line))]
        reached = [point for point in points if point["validation_loss"] < _NANOGPT_LOSS]
        yield f"first below {_NANOGPT_LOSS}", reached[0] if reached else "never"
        yield "best validation", min(point["validation_loss"] for point in points)


def _lstm(args: argparse.Namespace) -> Answers:
    """The LSTM, beside torch.nn.LSTM on cuDNN."""
    setting = _sized(args, _LSTM)
    for optimizer in ("adamw", "muon"):
        result = _speed(args, "textgen", setting, optimizer=optimizer)
        yield f"textgen, {optimizer}, steps/s", result["steps_per_second"]
    if args.has_torch:
        yield "torch, steps/s", _speed(args, "torch", setting)["steps_per_second"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--model", "lstm", "--max-steps", "20"]
        _textgen(args, folder, "train", str(args.corpus), "--name", "run", *options)
        _textgen(args, folder, "generate", "-m", "run", "-n", "20", hide_gpu=True)
        yield "generates on the CPU", True


def _attention(args: argparse.Namespace) -> Answers:
    """What the learned bias of each distance costs, beside positions without a score matrix."""
    for context, batch in ((256, 64), (1024, 16)):
        setting = _sized(args, _NANOGPT._replace(context_length=context, batch_size=batch))
        for positions in ("relative", "rotary", "learned"):
            result = _speed(args, "textgen", setting, positions=positions)
            yield f"context {context}, {positions}", result


def _cost(args: argparse.Namespace) -> Answers:
    """Milliseconds per step, for the planner; and what Mirrored costs with one device."""
    for shape in _COST_SHAPES:
        setting = _sized(args, shape)
        result = _speed(args, "textgen", setting)
        yield f"{[*shape]}, ms per step", round(1000 / result["steps_per_second"], 2)
    result = _speed(args, "textgen", _sized(args, _NANOGPT), strategy="mirrored")
    yield "nanoGPT's setting, Mirrored, steps/s", result["steps_per_second"]


def _tests(args: argparse.Namespace) -> Answers:
    """The tests that depend most on the device."""
    folders = (
        ["tests/training/test_step.py"] if args.try_out else ["tests/training", "tests/models"]
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "4", "--maxfail", "5", *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    yield "last line of pytest", done.stdout.strip().rpartition("\n")[2]


PARTS: dict[str, Callable[[argparse.Namespace], Answers]] = {
    "command": _command,
    "nanogpt": _nanogpt,
    "lstm": _lstm,
    "attention": _attention,
    "cost": _cost,
    "tests": _tests,
}


def _sized(args: argparse.Namespace, setting: Setting) -> Setting:
    return setting._replace(**_TINY) if args.try_out else setting


def _textgen(
    args: argparse.Namespace, folder: str, command: str, *options: str, hide_gpu: bool = False
) -> str:
    full = [sys.executable, "-m", "textgen.cli", command, *options, "--models-dir", folder]
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if hide_gpu else {}
    done = subprocess.run(full, env=os.environ | hidden, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def _speed(args: argparse.Namespace, side: str, setting: Setting, **order: Any) -> dict[str, Any]:
    """Train in a new process, which frees the GPU's memory when it ends."""
    order |= {"side": side, "setting": setting}
    python = args.torch_python if side == "torch" else sys.executable
    seconds = 1 if args.try_out else args.seconds
    options = ["--worker", json.dumps(order), "--seconds", str(seconds)]
    with worker(python, __file__, str(args.corpus), *options, hide_gpu=False) as process:
        return receive(process, side)


# The workers: they train until the time is over, and print how fast they were.


class _Timer:
    """Counts steps after the warmup; prints their speed and ends the process in time."""

    def __init__(self, seconds: float, **facts: str) -> None:
        self._seconds = seconds
        self._facts = facts
        self._started = self._first = 0.0

    def report(self, step: int, memory: Callable[[], float]) -> None:
        now = time.perf_counter()
        if step < _WARMUP_STEPS:
            return
        if not self._started:
            self._started, self._first = now, step
        elif now - self._started >= self._seconds:
            speed = (step - self._first) / (now - self._started)
            measured = {"steps_per_second": round(speed, 2), "peak_mb": round(memory() / 2**20)}
            print(json.dumps(measured | self._facts), flush=True)
            os._exit(0)


def _time_textgen(
    args: argparse.Namespace, setting: list[Any], optimizer: str = "muon", **options: Any
) -> None:
    import tensorflow as tf
    from textgen_side import fit

    from textgen.config import ModelConfig, TrainingConfig
    from textgen.reporter import Progress, Reporter
    from textgen.training.step import choose_dtype

    def peak() -> float:
        if not tf.config.list_logical_devices("GPU"):
            return 0.0
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    shape = Setting(*setting)
    dtype = choose_dtype(TrainingConfig(), ModelConfig(shape.architecture))
    timer = _Timer(args.seconds, dtype=dtype)

    class Watch(Reporter):
        """Passes the steps on."""

        def progress(self, progress: Progress) -> None:
            timer.report(progress.step, peak)

    fit(shape, read_tokens(args.corpus), optimizer, 10**6, reporter=Watch(), **options)


def _time_torch(args: argparse.Namespace, setting: list[Any], compile: bool = False) -> None:
    import torch
    from torch_side import Torch

    has_gpu = torch.cuda.is_available()
    tokens = read_tokens(args.corpus)
    device = "cuda" if has_gpu else "cpu"
    side = Torch(
        Setting(*setting), tokens.training, tokens.vocab_size, compile=compile, device=device
    )
    timer = _Timer(args.seconds)
    for step in side.steps():
        timer.report(step, lambda: torch.cuda.max_memory_allocated() if has_gpu else 0.0)


if __name__ == "__main__":
    main()
