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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from settings import Setting, read_tokens
from workers import has_torch, receive, worker

_NANOGPT = Setting("transformer", 6, 6, 384, 256, 64)
_NANOGPT_LOSS = 1.4697  # the best validation that nanoGPT's README reports, nats per character
_LSTM = Setting("lstm", 2, 1, 256, 128, 32)
_TINY = {"num_layers": 1, "hidden_dim": 48, "context_length": 16, "batch_size": 2}
# Shapes that the planner's cost of a step is fitted to, besides nanoGPT's and the LSTM's.
_COST_SHAPES = [
    Setting("transformer", 4, 4, 128, 64, 64),
    Setting("transformer", 12, 12, 768, 256, 64),
    Setting("lstm", 2, 1, 768, 256, 64),
]
# Ways to compile a step: flags of XLA, and whether XLA is used. XLA times many kernels for each
# product while it compiles.
_COMPILERS = {
    "XLA without Triton": ("--xla_gpu_enable_triton_gemm=false", True),
    "XLA without autotuning": ("--xla_gpu_autotune_level=0", True),
    "no XLA": ("", False),
}
# The sides of a square matrix product, for the speed of the GPU itself.
_PRODUCTS = (1024, 4096, 8192)
_WARMUP_STEPS = 40  # the first of them are compiled
Answers = Iterator[tuple[str, Any]]


def main() -> None:
    args = _parse_args()
    if args.worker:
        order = json.loads(args.worker)
        _SIDES[order.pop("side")](args, **order)
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
    """Steps per second in nanoGPT's setting, beside torch and torch.compile."""
    setting = _sized(args, _NANOGPT)
    yield "textgen", _speed(args, "textgen", setting, dropout=0.2)
    if args.has_torch:
        yield "torch", _speed(args, "torch", setting, dropout=0.2)
        yield "torch.compile", _speed(args, "torch", setting, dropout=0.2, compile=True)
    yield "textgen, no dropout", _speed(args, "textgen", setting)


def _compilers(args: argparse.Namespace) -> Answers:
    """Seconds of compiling and steps per second, by what compiles nanoGPT's setting."""
    for name, (flags, jit_compile) in _COMPILERS.items():
        options = {"dropout": 0.2, "jit_compile": jit_compile}
        yield name, _speed(args, "textgen", _sized(args, _NANOGPT), flags=flags, **options)


def _recipe(args: argparse.Namespace) -> Answers:
    """How soon nanoGPT's setting reaches nanoGPT's loss, and where the time of a step goes."""
    setting = _sized(args, _NANOGPT)
    steps, every = (30, 10) if args.try_out else (2500, 125)
    order = {"side": "recipe", "setting": setting, "max_steps": steps, "validate_every": every}
    options = ["--worker", json.dumps(order), "--output", str(args.output)]
    with worker(sys.executable, __file__, str(args.corpus), *options, hide_gpu=False) as process:
        yield f"{steps} steps", receive(process, "recipe")


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
            if (context, positions) == (256, "relative"):
                continue  # measured above
            result = _speed(args, "textgen", setting, positions=positions)
            yield f"context {context}, {positions}", result


def _cost(args: argparse.Namespace) -> Answers:
    """What the planner needs to know of a GPU, and what Mirrored costs with one device."""
    options = ["--worker", json.dumps({"side": "products"})]
    options += ["--try-out"] if args.try_out else []
    with worker(sys.executable, __file__, str(args.corpus), *options, hide_gpu=False) as process:
        yield "speed of the GPU", receive(process, "products")
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
    args: argparse.Namespace, side: str, setting: Setting, flags: str = "", **order: Any
) -> dict[str, Any]:
    """Train in a new process, which frees the GPU's memory when it ends.

    Args:
        args: The command line's.
        side: `textgen` or `torch`.
        setting: What to train.
        flags: More flags of XLA, whose compiler reads them from the environment.
        **order: More for the side.
    """
    order |= {"side": side, "setting": setting}
    python = args.torch_python if side == "torch" else sys.executable
    seconds = 1 if args.try_out else args.seconds
    options = ["--worker", json.dumps(order), "--seconds", str(seconds)]
    options += ["--output", str(args.output)]
    xla = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()} if flags else {}
    command = (python, __file__, str(args.corpus), *options)
    with worker(*command, hide_gpu=False, environment=xla) as process:
        return receive(process, side)


# The workers: they train until the time is over, and print how fast they were.


class _Timer:
    """Counts steps after the warmup; prints their speed and ends the process in time."""

    def __init__(self, seconds: float, **facts: str) -> None:
        self._seconds = seconds
        self.facts: dict[str, Any] = dict(facts)
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
            print(json.dumps(measured | self.facts), flush=True)
            os._exit(0)


def _watch(on_progress: Callable[[int], None], on_validation: Callable[[Any], None]) -> Any:
    """Return a reporter that passes on steps and validations, and knows when they began."""
    from textgen.reporter import Progress, Reporter, Validation

    class Watch(Reporter):
        compile_seconds = 0.0

        def phase(self, name: str) -> None:
            if name == "compiling":
                self.started = time.perf_counter()

        def progress(self, progress: Progress) -> None:
            if not self.compile_seconds:
                self.compile_seconds = round(time.perf_counter() - self.started, 1)
            on_progress(progress.step)

        def validation(self, validation: Validation) -> None:
            on_validation(validation)

    return Watch()


def _time_textgen(
    args: argparse.Namespace, setting: list[Any], optimizer: str = "muon", **options: Any
) -> None:
    import tensorflow as tf
    from textgen_side import fit

    from textgen.config import ModelConfig, TrainingConfig
    from textgen.training.step import choose_dtype

    def peak() -> float:
        if not tf.config.list_logical_devices("GPU"):
            return 0.0
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    shape = Setting(*setting)
    dtype = choose_dtype(TrainingConfig(), ModelConfig(shape.architecture))
    timer = _Timer(args.seconds, dtype=dtype)

    def count(step: int) -> None:
        timer.facts["compile_seconds"] = watch.compile_seconds
        timer.report(step, peak)

    watch = _watch(count, lambda validation: None)
    fit(shape, read_tokens(args.corpus), optimizer, 10**6, reporter=watch, **options)


def _time_recipe(
    args: argparse.Namespace, setting: list[Any], max_steps: int, validate_every: int
) -> None:
    import tensorflow as tf
    from textgen_side import fit

    folder = Path(f"{args.output}.profile")
    profiled: list[int] = []
    points: list[tuple[int, float, float]] = []

    def count(step: int) -> None:
        # The last but one call of many steps; whatever the profile takes is after the result.
        if not profiled and step >= 0.9 * max_steps:
            profiled.append(step)
            tf.profiler.experimental.start(str(folder))
        elif len(profiled) == 1:
            tf.profiler.experimental.stop()
            profiled.append(step)

    def note(validation: Any) -> None:
        seconds = round(time.perf_counter() - watch.started, 1)
        points.append((validation.step, seconds, round(validation.validation_loss, 4)))
        print(f"  step, seconds, loss: {points[-1]}", file=sys.stderr, flush=True)

    watch = _watch(count, note)
    tokens = read_tokens(args.corpus)
    fit(
        Setting(*setting),
        tokens,
        "muon",
        max_steps,
        validate_every=validate_every,
        reporter=watch,
        dropout=0.2,
    )
    reached = [point for point in points if point[2] < _NANOGPT_LOSS]
    answer = {
        "compile_seconds": watch.compile_seconds,
        "step, seconds, loss below nanoGPT's": reached[0] if reached else "never",
        "best": min(points, key=lambda point: point[2]),
        "seconds": points[-1][1],
    }
    if len(profiled) == 2:
        _print_profile(folder, profiled[1] - profiled[0])
    print(json.dumps(answer), flush=True)


def _print_profile(folder: Path, num_steps: int) -> None:
    """Print the kernels that take longest, in microseconds per step, to standard error."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    totals: dict[tuple[str, str], int] = {}
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        for plane in space.planes:
            if "GPU" not in plane.name:
                continue
            for line in plane.lines:
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    key = line.name, name[:90]
                    totals[key] = totals.get(key, 0) + event.duration_ps
    lines: dict[str, int] = {}
    for (line, _), duration in totals.items():
        lines[line] = lines.get(line, 0) + duration
    print(f"profile of {num_steps} steps, microseconds per step", file=sys.stderr)
    for line, duration in sorted(lines.items(), key=lambda item: -item[1])[:8]:
        print(f"  {duration / 1e6 / num_steps:8.1f} {line}", file=sys.stderr)
        mine = [(d, name) for (each, name), d in totals.items() if each == line]
        for part, name in sorted(mine, reverse=True)[:22]:
            print(f"    {part / 1e6 / num_steps:8.1f} {name}", file=sys.stderr)


def _time_products(args: argparse.Namespace) -> None:
    """Operations per second of square products, and activations per second."""
    import tensorflow as tf

    answer: dict[str, str] = {}
    for dtype in (tf.float32, tf.bfloat16):
        for side in _PRODUCTS[: 1 if args.try_out else None]:
            matrix = tf.cast(tf.random.normal((side, side)), dtype)

            @tf.function(autograph=False)
            def multiply(x=matrix):
                y = x
                for _ in range(10):
                    y = tf.matmul(x, y) * 1e-2
                return y

            seconds = _best_seconds(multiply)
            answer[f"{dtype.name} {side}"] = f"{20 * side**3 / seconds / 1e12:.1f} TFLOP/s"
    rows = tf.random.normal((1024 if args.try_out else 65536, 1024))

    @tf.function(autograph=False, jit_compile=True)
    def activate():
        with tf.GradientTape() as tape:
            tape.watch(rows)
            outputs = tf.nn.softmax(tf.nn.gelu(rows))
            outputs *= tf.math.rsqrt(tf.reduce_mean(outputs**2, axis=-1, keepdims=True) + 1e-5)
        return tape.gradient(outputs, rows)

    seconds = _best_seconds(activate)
    answer["activations"] = f"{rows.shape[0] * rows.shape[1] / seconds / 1e9:.1f} G/s"
    print(json.dumps(answer), flush=True)


def _best_seconds(compute: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        compute()[0, 0].numpy()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _time_torch(
    args: argparse.Namespace, setting: list[Any], compile: bool = False, dropout: float = 0.0
) -> None:
    import torch
    from torch_side import Torch

    has_gpu = torch.cuda.is_available()
    tokens = read_tokens(args.corpus)
    device = "cuda" if has_gpu else "cpu"
    side = Torch(
        Setting(*setting),
        tokens.training,
        tokens.vocab_size,
        compile=compile,
        device=device,
        dropout=dropout,
    )
    timer = _Timer(args.seconds)
    for step in side.steps():
        timer.report(step, lambda: torch.cuda.max_memory_allocated() if has_gpu else 0.0)


_SIDES: dict[str, Callable[..., None]] = {
    "textgen": _time_textgen,
    "recipe": _time_recipe,
    "torch": _time_torch,
    "products": _time_products,
}

if __name__ == "__main__":
    main()
