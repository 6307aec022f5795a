"""What it costs to keep a text from phrases, and from copying: processor time, and what slips by.

    python benchmarks/originality.py NAME corpus.txt --characters 1000000

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import random
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import textgen
from textgen.inference.own_run import own_run
from textgen.originality import CorpusIndex, RunIndex, trace

PROMPT = "The "
NUM_TOKENS = 500
NOVEL = 30
SEED = 3


def main() -> None:
    """Measure every setting in turns, in one process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a model, beside its training run")
    parser.add_argument("corpus", type=Path, help="words for the phrases: the model's corpus")
    parser.add_argument("--models-dir", default="saved_models", help="default: %(default)s")
    parser.add_argument("--characters", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 64], help="default: 1 64")
    args = parser.parse_args()
    phrases = _phrases(args.corpus.read_text("utf-8").split())
    with textgen.load(args.model, args.models_dir) as model:
        run = own_run(model.entry)
        if run is None:
            raise SystemExit("The model has no training run.")
        index = RunIndex(run).open()
        for rows in args.rows:
            _compare(model, index, phrases, rows, args.characters)


def _phrases(words: list[str]) -> list[str]:
    """A thousand phrases in three scripts, 600 of them pairs of words of the corpus."""
    draw = random.Random(SEED)
    starts = [draw.randrange(len(words) - 1) for _ in range(600)]
    latin = [" ".join(words[start : start + 2]) for start in starts]
    cyrillic = ["".join(draw.choices("абвгдежзийклмноп ", k=12)) for _ in range(200)]
    chinese = ["".join(draw.choices("的一是在不了有和人这中大", k=5)) for _ in range(200)]
    return latin + cyrillic + chinese


def _compare(
    model: textgen.TextGenerator,
    index: CorpusIndex,
    phrases: list[str],
    rows: int,
    num_characters: int,
) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "free": {},
        "avoid": {"avoid": phrases},
        "novel": {"novel": NOVEL},
    }
    seconds = dict.fromkeys(kinds, 0.0)
    texts: dict[str, list[str]] = {name: [] for name in kinds}
    for settings in kinds.values():
        model.generate_batch([PROMPT] * rows, max_new_tokens=4, **settings)
    seed = 0
    while sum(map(len, texts["free"])) < num_characters:
        for name, settings in kinds.items():
            values = {"max_new_tokens": NUM_TOKENS, "seed": seed, **settings}
            took, found = _timed(
                lambda values=values: model.generate_batch([PROMPT] * rows, **values)
            )
            seconds[name] += took
            texts[name] += [each.text for each in found]
        seed += rows
    for name, found in texts.items():
        whole = [PROMPT + text for text in found]
        matches = sum(phrase in text for text in whole for phrase in phrases)
        copies = sum(trace(index, text, NOVEL).longest >= NOVEL for text in whole)
        print(
            f"{rows} rows, {name}: {seconds[name] / seconds['free']:.2f} x the processor time, "
            f"{sum(map(len, found)):,} characters, {matches:,} phrases, "
            f"{copies:,} texts with {NOVEL} characters of the corpus",
            flush=True,
        )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds that something takes, and its result."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    before = used()
    result = work()
    return used() - before, result


if __name__ == "__main__":
    main()
