"""Run every benchmark on this machine and write what they print into one report.

    python benchmarks/run_all.py shakespeare.txt [--gguf FILE] [--llama-bench PATH]

Takes about two hours on 2 cores; `--only decode serve` chooses. The report, `report.md`, begins
with the machine and the releases, because a figure means little without them.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from workers import num_cores

_FOLDER = Path(__file__).parent
_PACKAGES = ("textgen", "tensorflow", "keras", "keras-nlp", "torch", "transformers", "ctranslate2")


def main() -> None:
    args = _parse_args()
    benchmarks = _benchmarks(args)
    unknown = sorted({*(args.only or [])} - {*benchmarks})
    if unknown:
        sys.exit(f"--only must name some of {', '.join(benchmarks)}. Received: {unknown[0]}")
    args.report.write_text(f"# Benchmarks\n\n{_machine()}\n", encoding="utf-8")
    for name in args.only or benchmarks:
        for command in benchmarks[name]:
            _run(command, args.report)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path, help="text file in UTF-8")
    parser.add_argument("--report", type=Path, default=Path("report.md"), help="default: report.md")
    parser.add_argument("--gguf", type=Path, help="the published model, for published.py")
    parser.add_argument("--llama-bench", type=Path, help="llama.cpp's benchmark program")
    parser.add_argument("--only", nargs="+", help="names of benchmarks (default: all)")
    return parser.parse_args()


def _benchmarks(args: argparse.Namespace) -> dict[str, list[list[str]]]:
    """Return the commands of each benchmark, without those whose input is missing."""
    corpus = str(args.corpus)
    decode = ["decode.py"]
    if args.llama_bench:
        decode += ["--llama-bench", str(args.llama_bench)]
    named = {
        "train": [["train.py", corpus, "--compile"], ["train.py", corpus, "--model", "lstm"]],
        "quality": [["quality.py", corpus, part] for part in ("steps", "race", "budgets", "start")],
        "busy": [["busy.py", corpus, "--budget", "2m", "--runs", "10"]],
        "corpora": [["corpora.py", corpus, "--megabytes", "400"]],
        "decode": [decode],
        "serve": [["serve.py"]],
        "tokenizers": [["tokenizer_parity.py", "--strings", "250000", "--in-graph", "25000"]],
    }
    if args.gguf:
        named["published"] = [["published.py", str(args.gguf), "published"]]
    return named


def _machine() -> str:
    """Return the processor, its cores and the installed releases, as Markdown."""
    lines = [f"{datetime.date.today()}, {num_cores()} cores of {_processor()}."]
    releases = [f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            releases.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join([*lines, ", ".join(releases) + "."])


def _processor() -> str:
    done = subprocess.run(["lscpu"], capture_output=True, text=True, check=True)
    model = re.search(r"Model name:\s*(.+)", done.stdout)
    units = [unit for unit in ("avx512f", "avx512_bf16", "amx_bf16") if unit in done.stdout]
    return " with ".join(filter(None, [model[1] if model else "unknown", ", ".join(units)]))


def _run(command: list[str], report: Path) -> None:
    shown = " ".join(["python", f"benchmarks/{command[0]}", *command[1:]])
    print(shown, flush=True)
    started = time.perf_counter()
    full = [sys.executable, str(_FOLDER / command[0]), *command[1:]]
    done = subprocess.run(full, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - started
    # Progress that is meant for a terminal ends with a carriage return.
    printed = [line.rpartition("\r")[2].rstrip() for line in done.stdout.splitlines()]
    status = f", failed with status {done.returncode}" if done.returncode else ""
    with report.open("a", encoding="utf-8") as file:
        file.write(f"\n## `{shown}`\n\n{seconds:.0f} s{status}\n\n```\n")
        file.write("\n".join(line for line in printed if line) + "\n```\n")


if __name__ == "__main__":
    main()
