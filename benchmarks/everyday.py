"""What five everyday texts become in two minutes of training, each as a new user would train it.

    python benchmarks/everyday.py novel.txt --budget 2m

Prints transcripts. Run it on a machine that does nothing else, or it shows what that costs.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# The options of `generate`: where texts begin, and how far they go.
_PROMPTS = {
    "diary": ["Thursday", "-n", "300"],
    "reviews": ["", "--num-samples", "4"],
    "chat": ["[03.06.25, 18:", "-n", "300"],
    "novel": ["", "-n", "200"],
    "chinese": ["明月", "-n", "60"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("novel", type=Path, help="a long text in UTF-8")
    parser.add_argument("--budget", default="2m", help="default: %(default)s")
    parser.add_argument("--only", choices=_PROMPTS, nargs="+", default=list(_PROMPTS))
    args = parser.parse_args()
    corpora = {
        "diary": [_EXAMPLES / "everyday/diary.txt"],
        "reviews": [_EXAMPLES / "everyday/reviews.csv"],
        "chat": [_EXAMPLES / "everyday/chat.txt", "--split-documents", "line"],
        "novel": [args.novel],
        "chinese": [_EXAMPLES / "poems/chinese.txt", "--split-documents", "line"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            corpus, *options = corpora[name]
            started = time.monotonic()
            train = [str(corpus), *options, "--time-budget", args.budget, "--name", name]
            print(_transcript(folder, "train", *train))
            print(f"(after {time.monotonic() - started:.0f} s)\n")
            print(_transcript(folder, "generate", "-m", name, *_PROMPTS[name], "--seed", "1"))
            sys.stdout.flush()


def _transcript(folder: str, *arguments: str) -> str:
    """Run a command, and return what a terminal would show of it."""
    shown = [Path(a).name if a.startswith("/") else a for a in arguments]
    command = [sys.executable, "-m", "textgen.cli", *arguments, "--models-dir", folder]
    done = subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if not line.startswith("step ")]
    return "\n".join([f"$ textgen {shlex.join(shown)}", *lines, ""])


if __name__ == "__main__":
    main()
