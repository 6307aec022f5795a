"""The sides of gpu.py: each trains or computes in a process of its own, and prints its figures.

    python benchmarks/gpu_sides.py shakespeare.txt '{"side": "products"}'

A process that ends gives the GPU's memory back. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from settings import Setting, read_tokens

NANOGPT_LOSS = 1.4697  # the best validation that nanoGPT's README reports, nats per character
# The sides of a square matrix product, for the speed of the GPU itself.
_PRODUCTS = (1024, 4096, 8192)
_WARMUP_STEPS = 40  # the first of them are compiled


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("order", type=json.loads, help="the side and its arguments, in JSON")
    parser.add_argument("--seconds", type=float, default=8.0, help="per speed; default: 8")
    parser.add_argument("--profile", type=Path, help="folder for the profile of a step")
    parser.add_argument("--try-out", action="store_true", help="tiny sizes, to try this program")
    args = parser.parse_args()
    _SIDES[args.order.pop("side")](args, **args.order)


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
    from textgen.training.dtype import choose_dtype

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

    profiled: list[int] = []
    points: list[tuple[int, float, float]] = []

    def count(step: int) -> None:
        # The last but one call of many steps; whatever the profile takes is after the result.
        if args.profile and not profiled and step >= 0.9 * max_steps:
            profiled.append(step)
            tf.profiler.experimental.start(str(args.profile))
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
    reached = [point for point in points if point[2] < NANOGPT_LOSS]
    answer = {
        "compile_seconds": watch.compile_seconds,
        "step, seconds, loss below nanoGPT's": reached[0] if reached else "never",
        "best": min(points, key=lambda point: point[2]),
        "seconds": points[-1][1],
    }
    if len(profiled) == 2:
        _print_profile(args.profile, profiled[1] - profiled[0])
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
