"""How fast textgen writes, beside transformers' GPT-2 and CTranslate2 of the same shape.

    python benchmarks/decode.py [--peers-python PATH]

Models take one step of training: what they write does not matter, how long it takes does. Every
side is a process of its own that stays alive; they take turns, so that noise of the machine
hits all of them. Everything runs on the CPU; see README.md beside this file.
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

CHARACTERS = "".join(map(chr, range(32, 94)))  # with the special tokens, 65 in all
PROMPT = "To be"
# Name: architecture, layers, heads, width, context.
SHAPES: dict[str, tuple[str, int, int, int, int]] = {
    "transformer-0.8M": ("transformer", 4, 4, 128, 256),
    "transformer-10.6M": ("transformer", 6, 6, 384, 256),
    "lstm-2x256": ("lstm", 2, 1, 256, 256),
}
# Model, batch, new tokens, peers.
SPEEDS = [
    ("transformer-0.8M", 1, 200, ("transformers", "ctranslate2")),
    ("transformer-0.8M", 64, 200, ("transformers", "ctranslate2")),
    ("transformer-10.6M", 1, 100, ("transformers", "ctranslate2")),
    ("lstm-2x256", 1, 1_000, ()),
    ("lstm-2x256", 1, 20_000, ()),
]


def main() -> None:
    args = _parse_args()
    if args.worker:
        WORKERS[args.worker](args.models)
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        subprocess.run([*_worker(sys.executable, "export", models)], check=True)
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
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--only", choices=("speed", "start"), help="default: both")
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--models", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


# The side that gives orders.


def _compare_speed(args: argparse.Namespace, models: Path) -> None:
    with contextlib.ExitStack() as stack:
        workers = {"textgen": stack.enter_context(_start(sys.executable, "textgen", models))}
        for peer in ("transformers", "ctranslate2"):
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
    textgen = str(Path(sys.executable).with_name("textgen"))
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


# The sides that write. Each answers an order with the seconds it took.


def _serve(write: Callable[[str, int, int], None]) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        answer: Any = "ready"
        if order:
            start = time.perf_counter()
            write(order["model"], order["batch"], order["tokens"])
            answer = time.perf_counter() - start
        print(json.dumps(answer), flush=True)


def _export(models: Path) -> None:
    """Export models that took one step of training: their weights are as good as random."""
    import textgen

    corpus = models / "characters.txt"
    corpus.write_text(CHARACTERS * 60, encoding="utf-8")
    for name, (architecture, layers, heads, width, context) in SHAPES.items():
        config = textgen.RunConfig(
            model=textgen.ModelConfig(
                architecture,
                num_layers=layers,
                num_heads=heads,
                hidden_dim=width,
                context_length=context,
            ),
            training=textgen.TrainingConfig(max_steps=1, batch_size=1, jit_compile=False),
            tokenizer="character",
        )
        textgen.train([corpus], name, config, models)


def _serve_textgen(models: Path) -> None:
    from textgen.runtime import SavedModel

    opened = {name: SavedModel(models / name / "1") for name in SHAPES}

    def write(name: str, batch: int, tokens: int) -> None:
        result = opened[name].run(
            "generate", prompts=[PROMPT] * batch, max_new_tokens=[tokens], seed=range(batch)
        )
        if result["num_tokens"].tolist() != [tokens] * batch:
            raise RuntimeError("not all tokens were written")

    _serve(write)


def _gpt2(name: str) -> Any:
    import transformers

    _, layers, heads, width, context = SHAPES[name]
    config = transformers.GPT2Config(
        vocab_size=len(CHARACTERS) + 3,
        n_positions=context,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        bos_token_id=None,
        eos_token_id=None,
    )
    return transformers.GPT2LMHeadModel(config).eval()


def _serve_transformers(models: Path) -> None:
    import torch

    opened = {name: _gpt2(name) for name, shape in SHAPES.items() if shape[0] == "transformer"}

    def write(name: str, batch: int, tokens: int) -> None:
        prompt = torch.ones((batch, 1 + len(PROMPT)), dtype=torch.long)
        sampling = {"do_sample": True, "temperature": 0.8, "top_k": 0}
        limits = {"max_new_tokens": tokens, "min_new_tokens": tokens, "pad_token_id": 0}
        mask = torch.ones_like(prompt)
        with torch.inference_mode():
            opened[name].generate(prompt, attention_mask=mask, **sampling, **limits)

    _serve(write)


def _serve_ctranslate2(models: Path) -> None:
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    opened = {}
    tokens_of = [f"t{index}" for index in range(len(CHARACTERS) + 3)]
    for name, shape in SHAPES.items():
        if shape[0] != "transformer":
            continue
        spec = GPT2Loader().get_model_spec(_gpt2(name))
        spec.register_vocabulary(tokens_of)
        spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = tokens_of[0]
        spec.validate()
        spec.optimize()
        path = models / f"{name}-ctranslate2"
        path.mkdir()
        spec.save(str(path))
        opened[name] = ctranslate2.Generator(str(path), intra_threads=os.cpu_count() or 1)

    def write(name: str, batch: int, tokens: int) -> None:
        prompt = [tokens_of[1]] * (1 + len(PROMPT))
        opened[name].generate_batch(
            [prompt] * batch,
            max_length=tokens,
            min_length=tokens,
            sampling_topk=0,
            sampling_temperature=0.8,
            include_prompt_in_result=False,
        )

    _serve(write)


WORKERS: dict[str, Callable[[Path], None]] = {
    "export": _export,
    "textgen": _serve_textgen,
    "transformers": _serve_transformers,
    "ctranslate2": _serve_ctranslate2,
}

if __name__ == "__main__":
    main()
