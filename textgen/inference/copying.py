"""How much a finished model copies from its corpus in texts that it generates without a prompt."""

from __future__ import annotations

import math
import time
from pathlib import Path

from textgen.card_parts import CopiesSummary
from textgen.catalog import ModelEntry
from textgen.errors import TextgenError
from textgen.inference.text_generator import TextGenerator
from textgen.originality import RunIndex, Trace, trace
from textgen.run import Run

# What a model generates, if it is fast enough to do so in the time.
NUM_CHARACTERS, MAX_SECONDS = 20_000, 5.0
# Sixteen texts take hardly longer than one, and each is long enough to hold a long copy.
_NUM_ROWS, _MIN_TOKENS, _MAX_TOKENS = 16, 16, 512
# An index of more takes longer than five seconds to build.
_MAX_CORPUS = 50_000_000


def measure_copies(folder: Path, run: Run) -> CopiesSummary | None:
    """Let a model generate texts, and measure how much of them is in its corpus.

    Args:
        folder: The folder of the model's SavedModel.
        run: The training run that produced it.

    Returns:
        What it copies. `None` if that takes too long or fails, because a model without the figure
        is better than no model.
    """
    if run.corpus.train_characters > _MAX_CORPUS:
        return None
    try:
        with TextGenerator(ModelEntry(run.folder.path.parent.name, None, folder)) as model:
            tokens_per_character = len(run.store.train) / run.corpus.train_characters
            texts = _write_texts(model, tokens_per_character)
    except TextgenError:
        return None
    if not texts:
        return None
    corpus = RunIndex(run)
    index = corpus.build()
    written = [trace(index, text) for text in texts]
    num_characters = sum(map(len, texts))
    held_out = trace(index, corpus.held_out(num_characters))
    return CopiesSummary(
        num_characters=num_characters,
        longest=max(found.longest for found in written),
        fraction=sum(map(_num_copied, written)) / num_characters,
        held_out_characters=len(held_out.text),
        held_out_longest=held_out.longest,
        held_out_fraction=held_out.fraction,
    )


def _write_texts(model: TextGenerator, tokens_per_character: float) -> list[str]:
    """Return texts that a model generates without a prompt, with default settings."""
    end = time.monotonic() + MAX_SECONDS
    texts: list[str] = []
    missing = NUM_CHARACTERS
    while missing > 0 and (seconds := end - time.monotonic()) > 0:
        num_tokens = math.ceil(missing * tokens_per_character / _NUM_ROWS)
        rows = model.generate_batch(
            [""] * _NUM_ROWS,
            max_new_tokens=min(max(num_tokens, _MIN_TOKENS), _MAX_TOKENS),
            max_time=seconds,
            seed=len(texts),
            raw=True,
        )
        if not any(row.text for row in rows):
            break
        for row in rows:
            texts.append(row.text[:missing])
            missing -= len(texts[-1])
    return texts


def _num_copied(found: Trace) -> float:
    return found.fraction * len(found.text)
