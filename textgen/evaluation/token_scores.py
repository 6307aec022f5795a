"""Runs an exported model over windows of tokens."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from textgen.errors import GenerationError, ModelDamagedError
from textgen.evaluation.windows import Windows
from textgen.inference import TextGenerator

_SIGNATURE = "score_tokens"
# The intermediate results of so many tokens fit into a core's cache. Two cores are faster with a
# call each than with one call that they share.
_MAX_TOKENS_PER_CALL = 1 << 11
_MAX_CALLS = 8
# The logits are the largest tensor of a call: 128 MB of them in float32.
_MAX_LOGITS_PER_CALL = 1 << 25


@dataclass(frozen=True)
class TokenScores:
    """How likely tokens are to a model.

    Attributes:
        targets: int64[N], the position of each token that was predicted, in the windows' tokens.
        logprobs: float64[N], the natural logarithm of its probability.
        best_logprobs: float64[N], that of the most likely token in its place.
        seconds: float64[K], the time of each call of the model, divided by the calls at a time.
        tokens_per_call: int64[K], the tokens that each call predicted.
    """

    targets: np.ndarray
    logprobs: np.ndarray
    best_logprobs: np.ndarray
    seconds: np.ndarray
    tokens_per_call: np.ndarray

    def only(self, chosen: np.ndarray) -> TokenScores:
        """Return the scores of some tokens.

        Args:
            chosen: bool[N], which.
        """
        return dataclasses.replace(
            self,
            targets=self.targets[chosen],
            logprobs=self.logprobs[chosen],
            best_logprobs=self.best_logprobs[chosen],
        )

    @property
    def is_right(self) -> np.ndarray:
        """Whether the model found each token the most likely one, bool[N]."""
        return self.logprobs >= self.best_logprobs


def has_limit(model: TextGenerator) -> bool:
    """Return whether a model can see no more than its context at once.

    Args:
        model: An open model.

    Raises:
        ModelDamagedError: If the model was exported before it could be evaluated.
    """
    if _SIGNATURE not in model.saved_model.signatures:
        raise ModelDamagedError(
            f"{model.entry.path} was exported by an earlier version of textgen and cannot be "
            "evaluated. Train it again, or resume its training."
        )
    context = model.card.model.context_length
    token_ids = np.zeros((1, context + 2), np.int32)
    outputs = model.saved_model.run(_SIGNATURE, token_ids=token_ids)
    return outputs["logprobs"].shape[1] <= context


def score_windows(
    model: TextGenerator,
    windows: Windows,
    on_tokens: Callable[[int, int], None] = lambda done, total: None,
) -> TokenScores:
    """Score the tokens of windows with an exported model.

    Args:
        model: An open model.
        windows: What to score.
        on_tokens: Called with the tokens scored so far and their total.

    Returns:
        The scores of all tokens that count, ordered by window.

    Raises:
        GenerationError: If the model's weights are not numbers.
    """
    ends = np.cumsum(windows.lengths - windows.skips)
    total = int(ends[-1]) if len(ends) else 0
    targets = np.empty(total, np.int64)
    own, best = np.empty(total), np.empty(total)
    seconds, counts = [], []
    done = 0
    num_calls = min(len(os.sched_getaffinity(0)), _MAX_CALLS)

    def score(rows: np.ndarray) -> tuple[int, float]:
        width = int(windows.lengths[rows].max())
        columns = windows.starts[rows, None] + np.arange(width + 1)
        token_ids = windows.tokens[np.minimum(columns, len(windows.tokens) - 1)]
        started = time.perf_counter()
        outputs = model.saved_model.run(_SIGNATURE, token_ids=token_ids.astype(np.int32))
        elapsed = time.perf_counter() - started
        position = np.arange(width)
        counts_in = (position >= windows.skips[rows, None]) & (
            position < windows.lengths[rows, None]
        )
        into = (ends[rows] - windows.lengths[rows])[:, None] + position
        into = into[counts_in]
        targets[into] = columns[:, 1:][counts_in]
        own[into] = outputs["logprobs"][counts_in]
        best[into] = outputs["best_logprobs"][counts_in]
        return len(into), elapsed / num_calls

    pool = ThreadPoolExecutor(num_calls)
    try:
        for count, elapsed in pool.map(
            score, _batches(windows.lengths, model.tokenizer.vocab_size)
        ):
            counts.append(count)
            seconds.append(elapsed)
            done += count
            on_tokens(done, total)
    finally:
        # After Ctrl-C, only the calls that have begun are waited for.
        pool.shutdown(cancel_futures=True)
    if not np.isfinite(own).all():
        raise GenerationError(
            f"{model.entry.path}: the model returns probabilities that are not numbers; its "
            "weights are broken."
        )
    return TokenScores(targets, own, best, np.array(seconds), np.array(counts))


def _batches(lengths: np.ndarray, vocab_size: int) -> list[np.ndarray]:
    """Return the rows of each call: of similar lengths, so that little of a call is padding."""
    budget = max(1, min(_MAX_TOKENS_PER_CALL, _MAX_LOGITS_PER_CALL // vocab_size))
    order = np.argsort(lengths, kind="stable")[::-1]
    batches, start = [], 0
    while start < len(order):
        rows = max(1, budget // int(lengths[order[start]]))
        batches.append(order[start : start + rows])
        start += rows
    return batches
