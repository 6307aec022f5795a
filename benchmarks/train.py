"""How fast textgen trains, beside GPT-2 of the same shape in eager PyTorch.

    python benchmarks/train.py corpus.txt --torch-python PATH [--quality]

Every side is a process of its own, which stays alive and trains some steps when it is
told to. They take turns, so that noise of the machine hits all of them. Everything runs
on the CPU, on all of its cores; see README.md beside this file for what is compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

NUM_LAYERS, NUM_HEADS, HIDDEN_DIM, CONTEXT_LENGTH, BATCH_SIZE = 4, 4, 128, 64, 12
LEARNING_RATE, CLIP_NORM = 1e-3, 1.0  # of the PyTorch side; textgen uses its own defaults
OPTIMIZERS = ("adamw", "muon")
WARMUP_STEPS = 50  # compilation is part of the first of them
VALIDATION_SPLIT = 0.1


def main() -> None:
    args = _parse_args()
    if args.worker == "torch":
        _serve_torch(_read_tokens(args.corpus))
    elif args.worker == "textgen" and args.quality:
        print(json.dumps(_train_to_the_end(args)), flush=True)
    elif args.worker == "textgen":
        _serve_textgen(_read_tokens(args.corpus), args.optimizer)
    else:
        _read_tokens(args.corpus)  # a damaged corpus should fail here, not in three workers
        _compare_speed(args)
        if args.quality:
            _measure_quality(args)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument(
        "--torch-python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has torch and transformers (default: the one that runs this)",
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="default: %(default)s")
    parser.add_argument("--steps", type=_positive, default=100, help="a round; default: 100")
    parser.add_argument(
        "--quality", action="store_true", help="also train to the end and validate (minutes)"
    )
    parser.add_argument(
        "--quality-steps", type=_positive, default=2000, help="default: %(default)s"
    )
    parser.add_argument("--worker", choices=("torch", "textgen"), help=argparse.SUPPRESS)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _positive(text: str) -> int:
    with contextlib.suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number from 1 up. Received: {text!r}")


def _read_tokens(corpus: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Return int64 training and validation tokens, and how many characters there are."""
    try:
        text = corpus.read_text(encoding="utf-8")
    except OSError as error:
        sys.exit(f"{corpus}: cannot be read ({error.strerror}).")
    except UnicodeDecodeError as error:
        sys.exit(f"{corpus}: is not UTF-8 (byte {error.start}).")
    shortest = 20 * CONTEXT_LENGTH
    if len(text) < shortest:
        sys.exit(f"{corpus}: must hold at least {shortest} characters. Received: {len(text)}.")
    code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    characters, tokens = np.unique(code_points, return_inverse=True)
    first_of_validation = len(tokens) - int(len(tokens) * VALIDATION_SPLIT)
    return tokens[:first_of_validation], tokens[first_of_validation:], len(characters)


# The side that gives orders.


def _compare_speed(args: argparse.Namespace) -> None:
    sides = {f"textgen {optimizer}": ("textgen", optimizer) for optimizer in OPTIMIZERS}
    if _has_torch(args.torch_python):
        sides = {"torch adamw": ("torch", "adamw"), **sides}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, (worker, optimizer) in sides.items():
            process = stack.enter_context(_start(args, worker, optimizer))
            _receive(process, name)  # warm; one after the other, compilation takes all cores
            workers[name] = process
        for index in range(args.rounds):
            # There and back again: no side always follows the same other side.
            for name in list(workers)[:: 1 if index % 2 == 0 else -1]:
                workers[name].stdin.write(f"{args.steps}\n")
                workers[name].stdin.flush()
                result = _receive(workers[name], name)
                speeds[name].append(result["steps"] / result["seconds"])
                print(json.dumps({"round": index + 1, "side": name, **result}), flush=True)
    _print_speeds(speeds)


def _has_torch(python: str) -> bool:
    probe = [python, "-c", "import torch, transformers"]
    try:
        lacking = subprocess.run(probe, capture_output=True, check=False).returncode != 0
    except OSError as error:
        print(f"The torch side is skipped: {python} cannot be run ({error.strerror}).")
        return False
    if lacking:
        print(f"The torch side is skipped: {python} has no torch and transformers.")
    return not lacking


@contextlib.contextmanager
def _start(
    args: argparse.Namespace, worker: str, optimizer: str, *options: str
) -> Iterator[subprocess.Popen[str]]:
    """Run this file as a worker; it ends with the block."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if worker == "textgen":
        # The textgen of this checkout, whatever is installed.
        folders = [str(Path(__file__).resolve().parents[1]), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    python = args.torch_python if worker == "torch" else sys.executable
    process = subprocess.Popen(
        [
            python,
            __file__,
            str(args.corpus),
            "--worker",
            worker,
            "--optimizer",
            optimizer,
            *options,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.kill()  # nothing it still holds is needed
        process.communicate()


def _receive(process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    """Return the next result; whatever else a library prints is passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    return sys.exit(f"{name}: the worker ended with status {process.wait()}.")


def _print_speeds(speeds: dict[str, list[float]]) -> None:
    base = speeds.get("torch adamw")
    print(f"\n{'':16}{'steps/s':>10}{'min':>8}{'max':>8}{'x torch':>10}")
    for name, values in speeds.items():
        row = f"{name:16}{statistics.median(values):10.1f}{min(values):8.1f}{max(values):8.1f}"
        if base:
            # Of each round by itself: its two sides ran next to each other.
            ratios = [ours / theirs for ours, theirs in zip(values, base, strict=True)]
            row += f"{statistics.median(ratios):10.2f}"
        print(row)


def _measure_quality(args: argparse.Namespace) -> None:
    results = {}
    for optimizer in OPTIMIZERS:
        options = ("--quality", "--quality-steps", str(args.quality_steps))
        with _start(args, "textgen", optimizer, *options) as process:
            results[optimizer] = _receive(process, f"textgen {optimizer}")
        print(json.dumps({"side": f"textgen {optimizer}", **results[optimizer]}), flush=True)
    print(f"\n{'':16}{'steps':>8}{'nats/char':>12}{'seconds':>10}")
    for optimizer, result in results.items():
        name = f"textgen {optimizer}"
        loss, seconds = result["validation_loss"], result["seconds"]
        print(f"{name:16}{result['steps']:8}{loss:12.4f}{seconds:10.1f}")


# The sides that train.


def _serve() -> Generator[None, int, None]:
    """Warm up, then time as many steps as each line asks for, and print how long they took.

    Yields whenever it wants more steps to be done; is sent how many were.
    """
    done = 0
    while done < WARMUP_STEPS:
        done += yield
    print(json.dumps({"warm_after": done}), flush=True)
    for line in sys.stdin:
        yield  # caches went cold while the others ran
        started = time.perf_counter()
        done = 0
        while done < int(line):
            done += yield
        print(json.dumps({"steps": done, "seconds": time.perf_counter() - started}), flush=True)


def _serve_torch(tokens: tuple[np.ndarray, np.ndarray, int]) -> None:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    train_tokens, _, vocab_size = tokens
    has_affinity = hasattr(os, "sched_getaffinity")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=CONTEXT_LENGTH,
        n_embd=HIDDEN_DIM,
        n_layer=NUM_LAYERS,
        n_head=NUM_HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        tie_word_embeddings=True,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    generator = np.random.default_rng(0)
    offsets = np.arange(CONTEXT_LENGTH + 1)

    server = _serve()
    next(server)
    with contextlib.suppress(StopIteration):  # no more orders
        while True:
            starts = generator.integers(len(train_tokens) - CONTEXT_LENGTH, size=(BATCH_SIZE, 1))
            batch = torch.from_numpy(train_tokens[starts + offsets])
            logits = model(batch[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            loss.item()
            server.send(1)


def _serve_textgen(tokens: tuple[np.ndarray, np.ndarray, int], optimizer: str) -> None:
    from textgen.training.reporter import Progress, Reporter

    server = _serve()
    next(server)

    class Turnstile(Reporter):
        """Answers from within `Trainer.fit`, so that its whole loop is timed."""

        step = 0

        def progress(self, progress: Progress) -> None:
            done, self.step = progress.step - self.step, progress.step
            server.send(done)

    with contextlib.suppress(StopIteration):  # no more orders
        _fit(tokens, optimizer, max_steps=10**6, reporter=Turnstile())


def _train_to_the_end(args: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    outcome = _fit(_read_tokens(args.corpus), args.optimizer, args.quality_steps)
    return {
        "steps": outcome.step,
        "validation_loss": outcome.validation_loss,
        "seconds": time.perf_counter() - started,
    }


def _fit(tokens, optimizer: str, max_steps: int, reporter=None):
    """Train with textgen; validate once, at the end."""
    from textgen.config import ModelConfig, TrainingConfig
    from textgen.training.checkpoints import Checkpoints
    from textgen.training.distribution import build_strategy
    from textgen.training.history import History
    from textgen.training.loop import Trainer

    train_tokens, validation_tokens, vocab_size = tokens
    model_config = ModelConfig(
        architecture="transformer",
        num_layers=NUM_LAYERS,
        num_heads=NUM_HEADS,
        hidden_dim=HIDDEN_DIM,
        context_length=CONTEXT_LENGTH,
        dropout=0.0,
    )
    config = TrainingConfig(
        max_steps=max_steps,
        batch_size=BATCH_SIZE,
        optimizer=optimizer,
        clip_norm=CLIP_NORM,
        validate_every=max_steps,
        strategy="none",
    )
    with tempfile.TemporaryDirectory() as folder:
        return Trainer(
            model_config,
            config,
            vocab_size,
            train_tokens,
            validation_tokens,
            Checkpoints(Path(folder) / "checkpoints"),
            History(Path(folder) / "history.jsonl"),
            build_strategy(config.strategy),
            reporter=reporter,
        ).fit()


if __name__ == "__main__":
    main()
