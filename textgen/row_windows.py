"""Windows of rows with prompts: each row is a window, of which the answer is learned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class RowWindows:
    """Cuts rows into windows.

    A row that fits is one window. If only the answer fits, the window is the end of the row, with
    as much of the prompt as fits. Longer rows are cut into adjacent windows.

    Args:
        tokens: int[num_tokens].
        rows: int64[num_rows, 3]: where each row starts, where its answer starts, where it ends.
        length: T, the tokens that a window predicts.

    Attributes:
        num_targets: int64[num_windows], the tokens of each window that are learned.

    Example:
        >>> rows = np.array([[0, 3, 5], [5, 6, 8]])
        >>> RowWindows(np.arange(8), rows, length=4).cut(np.array([0]))
        array([[ 0, -2, -3,  3,  4]], dtype=int32)
    """

    def __init__(self, tokens: np.ndarray, rows: np.ndarray, length: int) -> None:
        self._tokens = tokens
        self._length = length
        starts, answers, stops = np.asarray(rows).T
        fits = stops - answers <= length
        starts = np.where(fits, np.maximum(starts, stops - length - 1), starts)
        counts = np.where(fits, 1, -(-(stops - 1 - starts) // length))
        owner = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._starts = starts[owner] + number * length
        self._stops = np.minimum(stops[owner], self._starts + length + 1)
        # The first token of a row is never predicted.
        self._answers = np.maximum(answers[owner], self._starts + 1)
        self.num_targets = self._stops - self._answers
        is_learned = self.num_targets > 0  # the others are of prompts alone
        for name in ("_starts", "_stops", "_answers", "num_targets"):
            setattr(self, name, getattr(self, name)[is_learned])

    def cut(self, indices: np.ndarray) -> np.ndarray:
        """Return windows, int32[n, T + 1]. A token that is not to be learned is its complement.

        Args:
            indices: int[n], which windows.
        """
        positions = self._starts[indices, None] + np.arange(self._length + 1)
        last = self._stops[indices, None] - 1
        tokens = self._tokens[np.minimum(positions, last)].astype(np.int32)
        is_learned = (positions >= self._answers[indices, None]) & (positions <= last)
        # The first token is no target, so it stays as it is.
        is_learned[:, 0] = True
        return np.where(is_learned, tokens, ~tokens)


class RowValidationWindows:
    """Windows of the rows of a validation part, whose answers are predicted once.

    If there are more rows than that, evenly spaced ones are used, always the same ones.

    Args:
        rows: The windows of all rows.
        batch_size: B, windows per batch.
        max_targets: Approximate maximum number of tokens to predict, but at least one window.

    Attributes:
        num_targets: Tokens that are predicted.
    """

    def __init__(self, rows: RowWindows, batch_size: int, max_targets: int) -> None:
        self._rows = rows
        self._batch_size = batch_size
        total = rows.num_targets.sum()
        num_windows = len(rows.num_targets)
        kept = max(1, min(num_windows, int(num_windows * max_targets / total)))
        self._indices = np.arange(kept) * num_windows // kept
        self.num_targets = int(rows.num_targets[self._indices].sum())

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield windows, int32[B, T + 1], and whether each target is real, bool[B, T]."""
        for start in range(0, len(self._indices), self._batch_size):
            windows = self._rows.cut(self._indices[start : start + self._batch_size])
            tokens, real = np.maximum(windows, ~windows), windows[:, 1:] >= 0
            padding = [(0, self._batch_size - len(windows)), (0, 0)]
            yield np.pad(tokens, padding), np.pad(real, padding)
