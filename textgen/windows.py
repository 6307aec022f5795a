"""Windows of tokens. A batch is a function of (seed, step) and nothing else.

Because there is no state between batches, a resumed training run sees the same batches as an
uninterrupted one, and every worker of a distributed run computes the same global batch.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from textgen.config import TrainingConfig
from textgen.config.training import MAX_VALIDATION_TOKENS
from textgen.errors import CorpusError
from textgen.permutation import Permutation
from textgen.row_windows import RowValidationWindows, RowWindows

# Windows that are validated at once, and their logits, which take 64 MB.
_MAX_VALIDATED, _MAX_LOGITS = 64, 2**24
# Without prompts, no part of a corpus has rows.
NO_ROWS: Mapping[str, np.ndarray] = types.MappingProxyType({})
# The fraction of replayed windows is rounded to a multiple of 1 / this.
_REPLAY_UNITS = 2**20


class TrainingWindows:
    """Windows of the training tokens, in a different random order in every epoch.

    The tokens are cut into adjacent windows, so that an epoch shows each token once. The
    position of the first cut is also random in every epoch, so that a token is not always at
    the same position of its window, and the last tokens are in a window, too.

    Args:
        tokens: int[num_tokens], or int[num_tokens, 1 + K] if they are taught.
        context_length: T, the tokens that a window predicts.
        batch_size: B, windows per step.
        seed: Seed of the order.
        replay: int[num_tokens], older tokens, whose windows are mixed in. They have epochs of
            their own.
        replay_fraction: Fraction of all windows that are cut from `replay`. Of the first n
            windows, the nearest integer below n times this.
        rows: If the corpus has prompts, the rows of `tokens` as `"train"` and those of `replay`;
            see `RowWindows`.

    Raises:
        CorpusError: If the tokens do not fill one window.

    Example:
        >>> windows = TrainingWindows(np.arange(100), context_length=8, batch_size=4, seed=0)
        >>> windows.batches(step=0, count=2).shape
        (2, 4, 9)
    """

    def __init__(
        self,
        tokens: np.ndarray,
        context_length: int,
        batch_size: int,
        seed: int,
        replay: np.ndarray | None = None,
        replay_fraction: float = 0.0,
        rows: Mapping[str, np.ndarray] = NO_ROWS,
    ) -> None:
        self.context_length = context_length
        self.batch_size = batch_size
        self._new = _text(tokens, context_length, [seed], "training part", rows.get("train"))
        self._old: _Text | _Rows | None = None
        self._units = 0
        if replay is not None:
            old = rows.get("replay")
            self._old = _text(replay, context_length, [seed, 1], "replayed text", old)
            self._units = round(replay_fraction * _REPLAY_UNITS)
        self.num_windows = self._new.num_windows

    def batches(self, step: int, count: int) -> np.ndarray:
        """Return the batches of steps `step` to `step + count - 1`.

        Returns:
            int32[count, B, T + 1] or int32[count, B, T + 1, 1 + K]. Inputs are all tokens of a
            window but the last, targets all but the first. A token that is not to be learned is
            its complement, `~token`.
        """
        numbers = np.arange(step * self.batch_size, (step + count) * self.batch_size)
        windows = self._mixed(numbers) if self._old else self._new.windows(numbers)
        return windows.astype(np.int32).reshape(count, self.batch_size, *windows.shape[1:])

    def _mixed(self, numbers: np.ndarray) -> np.ndarray:
        """Return windows of both texts, [n, T + 1]: each text counts its own."""
        assert self._old is not None
        old = numbers * self._units // _REPLAY_UNITS
        is_old = (numbers + 1) * self._units // _REPLAY_UNITS > old
        windows = np.empty((len(numbers), self.context_length + 1), np.int32)
        windows[is_old] = self._old.windows(old[is_old])
        windows[~is_old] = self._new.windows((numbers - old)[~is_old])
        return windows


class _Text:
    """Tokens whose windows have an order.

    Args:
        tokens: int[num_tokens].
        length: T, the tokens that a window predicts.
        key: Seed of the order, without the epoch.
        name: What the tokens are, for an error.
    """

    def __init__(self, tokens: np.ndarray, length: int, key: list[int], name: str) -> None:
        if len(tokens) <= length:
            raise CorpusError(
                f"The {name} must be longer than the context of {length} tokens. "
                f"Received: {len(tokens)} tokens; use more text or a smaller context_length."
            )
        self._tokens = tokens
        self._length = length
        self._key = key
        self.num_windows = max(1, (len(tokens) - length) // length)
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> tuple[int, Permutation]:
        """Return the start of an epoch's first window, and the order of its windows."""
        seed, *stream = self._key
        generator = np.random.default_rng([seed, epoch, *stream])
        spare = len(self._tokens) - 1 - self.num_windows * self._length
        phase = int(generator.integers(spare + 1))
        return phase, Permutation(self.num_windows, generator)

    def windows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the windows of these numbers, int[n, T + 1], over all epochs."""
        epochs, positions = np.divmod(numbers, self.num_windows)
        starts = np.empty_like(numbers)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            phase, order = self._epoch(int(epoch))
            starts[chosen] = phase + order[positions[chosen]] * self._length
        return self._tokens[starts[:, None] + np.arange(self._length + 1)]


class _Rows:
    """Rows with prompts whose windows have an order.

    Args:
        rows: The windows.
        key: Seed of the order, without the epoch.
    """

    def __init__(self, rows: RowWindows, key: list[int]) -> None:
        self._rows = rows
        self._key = key
        self.num_windows = len(rows.num_targets)
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> Permutation:
        seed, *stream = self._key
        return Permutation(self.num_windows, np.random.default_rng([seed, epoch, *stream]))

    def windows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the windows of these numbers, int[n, T + 1], over all epochs."""
        epochs, positions = np.divmod(numbers, self.num_windows)
        indices = np.empty_like(numbers)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            indices[chosen] = self._epoch(int(epoch))[positions[chosen]]
        return self._rows.cut(indices)


def _text(
    tokens: np.ndarray, length: int, key: list[int], name: str, rows: np.ndarray | None
) -> _Text | _Rows:
    if rows is None:
        return _Text(tokens, length, key, name)
    return _Rows(RowWindows(tokens, rows, length), key)


class ValidationWindows:
    """Adjacent windows over the validation tokens; each token but the first is predicted once.

    From a long validation part, evenly spaced windows are taken, always the same ones.

    Args:
        tokens: int[num_tokens].
        context_length: T, the tokens that a window predicts.
        batch_size: B, windows per batch.
        max_targets: Maximum number of tokens to predict, but at least one window.

    Attributes:
        starts: int64[num_windows], the position of each window's first token.
        num_targets: Tokens that are predicted.

    Raises:
        CorpusError: If there are fewer than two tokens.

    Example:
        >>> [int(real.sum()) for _, real in ValidationWindows(np.arange(20), 8, batch_size=2)]
        [16, 3]
    """

    def __init__(
        self,
        tokens: np.ndarray,
        context_length: int,
        batch_size: int,
        max_targets: int = MAX_VALIDATION_TOKENS,
    ) -> None:
        if len(tokens) < 2:
            raise CorpusError(
                "The validation part must hold at least 2 tokens. "
                f"Received: {len(tokens)}; use more text or a larger validation_split."
            )
        self.tokens = tokens
        self.context_length = context_length
        self.batch_size = batch_size
        last = len(tokens) - 1
        all_windows = -(-last // context_length)
        num_windows = min(all_windows, max(1, max_targets // context_length))
        self.starts = np.arange(num_windows) * all_windows // num_windows * context_length
        self.num_targets = int(np.minimum(last - self.starts, context_length).sum())

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield windows, int32[B, T + 1], and whether each target is real, bool[B, T]."""
        offsets = np.arange(self.context_length + 1)
        last = len(self.tokens) - 1
        num_batches = -(-len(self.starts) // self.batch_size)
        # Padding rows start at the last token, so that none of their targets is real and every
        # batch has the same shape.
        padding = num_batches * self.batch_size - len(self.starts)
        starts = np.concatenate([self.starts, np.full(padding, last)])
        for batch in starts.reshape(num_batches, self.batch_size):
            positions = batch[:, None] + offsets
            real = positions[:, 1:] <= last
            yield self.tokens[np.minimum(positions, last)].astype(np.int32), real


@dataclass(frozen=True)
class Windows:
    """The windows of a run.

    Attributes:
        training: The windows to train on.
        validation: The windows to validate with.
        is_validated: Whether `validation` is cut from a validation part. If not, it is cut from
            the training part.
    """

    training: TrainingWindows
    validation: ValidationWindows | RowValidationWindows
    is_validated: bool


def cut_windows(
    train: np.ndarray,
    validation: np.ndarray,
    config: TrainingConfig,
    context_length: int,
    replay: np.ndarray | None = None,
    vocab_size: int = 1,
    rows: Mapping[str, np.ndarray] = NO_ROWS,
) -> Windows:
    """Cut the tokens of a run into windows.

    Args:
        train: int[num_tokens], the training part, or int[num_tokens, 1 + K] if it is taught.
        validation: int[num_tokens], the validation part. May be empty.
        config: How the model is trained.
        context_length: The model's, which a window cannot exceed.
        replay: int[num_tokens], older text to mix in, or `None`.
        vocab_size: Number of tokens. The larger it is, the fewer windows are validated at once.
        rows: If the corpus has prompts, the rows of each part by its name; see `RowWindows`.

    Raises:
        ConfigError: If the windows are to be longer than the model's context.
        CorpusError: If there are too few tokens.
    """
    length = config.window(context_length)
    # Validation keeps no gradients, so more windows fit at once, if their logits do. A multiple of
    # the micro-batch divides as evenly as the micro-batch does.
    micro_batch = config.batch_size // config.accumulate
    tokens = train if train.ndim == 1 else train[:, 0]
    part, judged = ("validation", validation) if validation.size else ("train", tokens)
    num_windows = len(rows[part]) if part in rows else -(-len(judged) // length)
    most = min(_MAX_VALIDATED, _MAX_LOGITS // (length * vocab_size))
    batch_size = micro_batch * max(1, min(most // micro_batch, -(-num_windows // micro_batch)))
    return Windows(
        TrainingWindows(
            train, length, config.batch_size, config.seed, replay, config.replay_fraction, rows
        ),
        RowValidationWindows(
            RowWindows(judged, rows[part], length), batch_size, config.validation_tokens
        )
        if part in rows
        else ValidationWindows(judged, length, batch_size, config.validation_tokens),
        bool(validation.size),
    )
