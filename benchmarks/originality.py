"""What it costs to keep a text from phrases, and from copying: processor time, and what slips by.

    python benchmarks/originality.py NAME corpus.txt --characters 1000000

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import functools
import math
import random
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import textgen
from textgen.inference.own_run import own_run
from textgen.originality import CorpusIndex, RunIndex, trace

NUM_TOKENS = 500
NOVEL = 30
SEED = 3
NUM_PHRASES = 1000
# What a phrase is made of in each script, how many characters a prompt has, and what to draw
# phrases from if the corpus has too few.
SCRIPTS = {
    "Latin": (r"[A-Za-z']+ [A-Za-z']+", 4, "abcdefghijklmnop "),
    "Cyrillic": (r"[Ѐ-ӿ]+ [Ѐ-ӿ]+", 4, "абвгдежзийклмноп "),
    "Chinese": (r"[一-鿿]{3}", 1, "的一是在不了有和人这中大"),
}


def main() -> None:
    """Measure every setting in turns, in one process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a model, beside its training run")
    parser.add_argument("corpus", type=Path, help="words for the phrases: the model's corpus")
    parser.add_argument("--models-dir", default="saved_models", help="default: %(default)s")
    parser.add_argument("--characters", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 64], help="default: 1 64")
    args = parser.parse_args()
    phrases, prompts = _phrases(args.corpus.read_text("utf-8"))
    with textgen.load(args.model, args.models_dir) as model:
        run = own_run(model.entry)
        if run is None:
            raise SystemExit("The model has no training run.")
        index = RunIndex(run).open()
        for rows in args.rows:
            _compare(model, index, phrases, prompts, rows, args.characters)


def _phrases(corpus: str) -> tuple[list[str], list[str]]:
    """Return a thousand phrases in three scripts, and a prompt for each script of the corpus.

    The phrases are the corpus's own where it has enough of a script, so that a model would write
    them.
    """
    draw = random.Random(SEED)
    phrases, prompts = [], []
    count = math.ceil(NUM_PHRASES / len(SCRIPTS))
    for pattern, size, letters in SCRIPTS.values():
        found = sorted(set(re.findall(pattern, corpus)))
        if len(found) >= count:
            chosen = draw.sample(found, count)
            prompts.append(chosen[0][:size])
        else:
            chosen = ["".join(draw.choices(letters, k=8)) for _ in range(count)]
        phrases += chosen
    return phrases[:NUM_PHRASES], prompts


def _compare(
    model: textgen.TextGenerator,
    index: CorpusIndex,
    phrases: list[str],
    prompts: list[str],
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
        model.generate_batch(prompts[:1] * rows, max_new_tokens=4, **settings)
    seed = 0
    while sum(map(len, texts["free"])) < num_characters:
        begun = [prompts[(seed + row) % len(prompts)] for row in range(rows)]
        for name, settings in kinds.items():
            values = {"max_new_tokens": NUM_TOKENS, "seed": seed, **settings}
            took, found = _timed(functools.partial(model.generate_batch, begun, **values))
            seconds[name] += took
            texts[name] += [each.prompt + each.text for each in found]
        seed += rows
    for name, found in texts.items():
        matches = sum(phrase in text for text in found for phrase in phrases)
        copies = sum(trace(index, text, NOVEL).longest >= NOVEL for text in found)
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
