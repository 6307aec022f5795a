"""Windows of tokens to score: what each token of a text is predicted from.

Three protocols. `full`, by sliding windows, predicts every token from at least half a context, as
scoring a text does. `windows` are the adjacent windows that training validates on. `random` are
windows at random positions, as nanoGPT estimates its loss. The last two predict the first tokens
of a window from hardly anything, so their loss is higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROTOCOLS = {
    "full": "full context by sliding window",
    "windows": "adjacent windows, as training validates",
    "random": "random windows, as nanoGPT estimates",
}
# A model without a longest window starts this many contexts after the tokens that it warms up on.
_CONTEXTS_PER_WINDOW = 4


@dataclass(frozen=True)
class Windows:
    """Windows over one sequence of tokens.

    Attributes:
        tokens: int[N].
        starts: int64[K], the position of each window's first token, which is only predicted from.
        lengths: int64[K], the tokens that each window predicts; at least 1.
        skips: int64[K], how many of them do not count, because an earlier window has them.
    """

    tokens: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    skips: np.ndarray


def full_context(
    texts: Sequence[np.ndarray], prefix_id: int, context_length: int, has_limit: bool
) -> Windows:
    """Return windows that predict every token of every text once, in order.

    Args:
        texts: int[T] each, the tokens of a text; none is empty.
        prefix_id: The token that precedes a beginning.
        context_length: The model's context, in tokens.
        has_limit: Whether the model can see no more than that at once.

    Example:
        >>> full_context([np.arange(20)], 0, 8, True).starts.tolist()
        [0, 5, 10, 15]
    """
    if has_limit:
        size, lead = context_length, context_length // 2 - 1
    else:
        size, lead = _CONTEXTS_PER_WINDOW * context_length, context_length
    lead = max(lead, 0)
    stride = size - lead
    lengths = np.array([len(text) for text in texts], np.int64)
    tokens = np.concatenate([part for text in texts for part in ([prefix_id], text)])
    offsets = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    counts = 1 + np.maximum(lengths - size + stride - 1, 0) // stride
    owner = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = number * stride
    return Windows(
        tokens.astype(np.int32),
        offsets[owner] + starts,
        np.minimum(lengths[owner] - starts, size),
        np.where(number > 0, lead, 0),
    )


def adjacent(tokens: np.ndarray, starts: np.ndarray, context_length: int) -> Windows:
    """Return windows of one context that begin at `starts`, all of whose targets count.

    Args:
        tokens: int[N].
        starts: int64[K], each below N - 1.
        context_length: Targets of a window, but for one that the tokens end in.
    """
    lengths = np.minimum(len(tokens) - 1 - starts, context_length)
    return Windows(tokens, starts, lengths, np.zeros_like(starts))


def random_starts(num_tokens: int, context_length: int, count: int, seed: int = 0) -> np.ndarray:
    """Return the starts of windows at random positions, int64[count], for `adjacent`."""
    last = max(num_tokens - 1 - context_length, 0)
    return np.random.default_rng(seed).integers(0, last, count, endpoint=True)
