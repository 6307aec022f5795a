"""What textgen does on a GPU, beside PyTorch: answers in the order of their weight.

    python benchmarks/gpu.py shakespeare.txt --output gpu.json [--torch-python PATH]
    python benchmarks/gpu.py shakespeare.txt --output try.json --try-out

Every answer is saved at once, so that none is lost if the machine is. `--try-out` does everything
at tiny sizes, on any machine. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from settings import Setting, read_tokens
from workers import has_torch, receive, worker

_NANOGPT = Setting("transformer", 6, 6, 384, 256, 64)
_LSTM = Setting("lstm", 2, 1, 256, 128, 32)
_TINY = {"num_layers": 1, "hidden_dim": 48, "context_length": 16, "batch_size": 2}
# Shapes that the planner's cost of a step is fitted to, besides nanoGPT's and the LSTM's.
_COST_SHAPES = [
    Setting("transformer", 4, 4, 128, 64, 64),
    Setting("transformer", 12, 12, 768, 256, 64),
    Setting("lstm", 2, 1, 768, 256, 64),
]
# Ways to compile a step: flags of XLA and of TensorFlow's use of it, and whether XLA is used. XLA
# times many kernels for each product while it compiles; {folder} can keep what it made.
_COMPILERS = {
    "no XLA": ("", "", False),
    "XLA without autotuning": ("--xla_gpu_autotune_level=0", "", True),
    "XLA, filling caches": (
        "--xla_gpu_per_fusion_autotune_cache_dir={folder}/autotune",
        "--tf_xla_persistent_cache_directory={folder}/programs",
        True,
    ),
    "XLA, from caches": (
        "--xla_gpu_per_fusion_autotune_cache_dir={folder}/autotune",
        "--tf_xla_persistent_cache_directory={folder}/programs",
        True,
    ),
    "XLA with Triton": ("--xla_gpu_enable_triton_gemm=true", "", True),
}
Answers = Iterator[tuple[str, Any]]


def main() -> None:
    args = _parse_args()
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
    """Steps per second in nanoGPT's setting, beside torch and torch.compile."""
    setting = _sized(args, _NANOGPT)
    yield "textgen", _speed(args, "textgen", setting, dropout=0.2)
    if args.has_torch:
        yield "torch", _speed(args, "torch", setting, dropout=0.2)
        yield "torch.compile", _speed(args, "torch", setting, dropout=0.2, compile=True)


def _compilers(args: argparse.Namespace) -> Answers:
    """Seconds of compiling and steps per second, by what compiles nanoGPT's setting."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "autotune").mkdir()
        for name, (xla, tensorflow, jit_compile) in _COMPILERS.items():
            flags = {"XLA_FLAGS": xla, "TF_XLA_FLAGS": tensorflow}
            flags = {name: value.format(folder=folder) for name, value in flags.items() if value}
            options = {"dropout": 0.2, "jit_compile": jit_compile}
            yield name, _speed(args, "textgen", _sized(args, _NANOGPT), flags, **options)


def _recipe(args: argparse.Namespace) -> Answers:
    """How soon nanoGPT's setting reaches nanoGPT's loss, and where the time of a step goes."""
    setting = _sized(args, _NANOGPT)
    steps, every = (30, 10) if args.try_out else (2500, 125)
    order = {"side": "recipe", "setting": setting, "max_steps": steps, "validate_every": every}
    yield f"{steps} steps", _ask(args, order, "--profile", f"{args.output}.profile")


def _lstm(args: argparse.Namespace) -> Answers:
    """The LSTM, beside torch.nn.LSTM on cuDNN."""
    setting = _sized(args, _LSTM)
    yield "textgen", _speed(args, "textgen", setting, optimizer="adamw")
    if args.has_torch:
        yield "torch", _speed(args, "torch", setting)


def _served(args: argparse.Namespace) -> Answers:
    """Whether the LSTM that cuDNN trained generates without a GPU."""
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
    """What the planner needs to know of a GPU, and what Mirrored costs with one device."""
    yield "speed of the GPU", _ask(args, {"side": "products"})
    for shape in _COST_SHAPES:
        setting = _sized(args, shape)
        optimizer = "adamw" if shape.architecture == "lstm" else "muon"
        yield f"{[*shape]}", _speed(args, "textgen", setting, optimizer=optimizer)


def _mirrored(args: argparse.Namespace) -> Answers:
    """What a strategy costs with one device."""
    yield "Mirrored", _speed(args, "textgen", _sized(args, _NANOGPT), strategy="mirrored")


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
    "compilers": _compilers,
    "lstm": _lstm,
    "cost": _cost,
    "recipe": _recipe,
    "served": _served,
    "attention": _attention,
    "mirrored": _mirrored,
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


def _speed(
    args: argparse.Namespace,
    side: str,
    setting: Setting,
    flags: Mapping[str, str] = MappingProxyType({}),
    **order: Any,
) -> dict[str, Any]:
    """Train for a while.

    Args:
        args: The command line's.
        side: `textgen` or `torch`.
        setting: What to train.
        flags: More flags for variables of the environment.
        **order: More for the side.
    """
    seconds = 1 if args.try_out else args.seconds
    python = args.torch_python if side == "torch" else sys.executable
    order |= {"side": side, "setting": setting}
    return _ask(args, order, "--seconds", str(seconds), python=python, flags=flags)


def _ask(
    args: argparse.Namespace,
    order: Mapping[str, Any],
    *options: str,
    python: str = sys.executable,
    flags: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what a side measures, in a new process, which frees the GPU's memory when it ends."""
    program = str(Path(__file__).with_name("gpu_sides.py"))
    options += ("--try-out",) * args.try_out
    command = (python, program, str(args.corpus), json.dumps(order), *options)
    added = {name: f"{os.environ.get(name, '')} {flag}".strip() for name, flag in flags.items()}
    with worker(*command, hide_gpu=False, environment=added) as process:
        return receive(process, order["side"])


if __name__ == "__main__":
    main()
