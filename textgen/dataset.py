"""Tokens on disk, and windows of them. A batch is a function of (seed, step) and nothing else.

Because there is no state between batches, a resumed training run sees the same batches as an
uninterrupted one, and every worker of a distributed run computes the same global batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from textgen.corpus import Block
from textgen.digests import DIGESTS_NAME, DigestError, check_digests, record_digests
from textgen.errors import CorpusError
from textgen.files import publish_folder
from textgen.permutation import Permutation
from textgen.tokenizer import Tokenizer

# Most tokens predicted in one validation. The standard deviation of a token's loss is about 2
# nats, so the standard error of this mean is about 2 / sqrt(2**18) = 0.004, less than the
# difference between two seeds; and because all validations of a run use the same windows, their
# ranking is more certain still. Validating on all of a long corpus would take longer than the
# training between two validations.
MAX_VALIDATION_TARGETS = 2**18
# Tokens in memory at once while all of the training part is read.
_CHUNK = 2**20


class TokenStore:
    """The tokens of a corpus in two memory-mapped files.

    Args:
        folder: Folder that `write` made.

    Attributes:
        train: Tokens of the training part, uint16[num_tokens] or uint32[num_tokens].
        validation: Tokens of the validation part, the same type. Empty if the corpus has none.
        test: Tokens of the test part, the same type; `None` if the corpus has none.

    Raises:
        CorpusError: If the files are missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.train = _open_array(folder / "train.npy")
            self.validation = _open_array(folder / "validation.npy")
            has_test = (folder / "test.npy").exists()
            self.test = _open_array(folder / "test.npy") if has_test else None
        except (OSError, ValueError, EOFError) as error:
            raise CorpusError(f"{folder}: the token store is damaged ({error}).") from error
        self._folder = folder

    def check(self, vocab_size: int, has_validation: bool = True) -> None:
        """Read all tokens and check that they are valid and those that were written.

        Args:
            vocab_size: All token ids must be below this.
            has_validation: Whether the corpus has a validation part.

        Raises:
            CorpusError: If they are not.
        """
        damaged = f"{self._folder}: the token store is damaged; begin a new run."
        try:
            check_digests(self._folder, self._folder / DIGESTS_NAME)
        except (OSError, DigestError) as error:
            raise CorpusError(f"{damaged} ({error})") from error
        filled = [self.train] if self.test is None else [self.train, self.test]
        if has_validation:
            filled.append(self.validation)
        for tokens in filled:
            is_sound = tokens.ndim == 1 and tokens.dtype in (np.uint16, np.uint32) and tokens.size
            if not is_sound or tokens.max() >= vocab_size:
                raise CorpusError(damaged)

    def seen(self, vocab_size: int) -> np.ndarray:
        """Return which tokens appear in the training part, bool[vocab_size]."""
        seen = np.zeros(vocab_size, bool)
        for start in range(0, self.train.size, _CHUNK):
            seen[self.train[start : start + _CHUNK]] = True
        return seen

    @classmethod
    def write(
        cls,
        folder: Path,
        train: Iterable[Block],
        validation: Iterable[Block],
        tokenizer: Tokenizer,
        has_documents: bool,
        test: Iterable[Block] | None = None,
    ) -> TokenStore:
        """Encode a corpus block by block and write it to `folder` atomically.

        Args:
            folder: Folder to create.
            train: Training documents in blocks; see `textgen.corpus.documents`.
            validation: Validation documents in blocks.
            tokenizer: Converts text to ids.
            has_documents: Whether to put BOS and EOS around every document.
            test: Test documents in blocks, if there are any.
        """
        dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
        with publish_folder(folder) as scratch:
            parts = {"train": train, "validation": validation}
            for part, blocks in (parts if test is None else {**parts, "test": test}).items():
                pieces = _encode(blocks, tokenizer, has_documents)
                _write_array(scratch / f"{part}.npy", pieces, dtype)
            record_digests(scratch, scratch / DIGESTS_NAME)
        return cls(folder)


def _open_array(path: Path) -> np.ndarray:
    """Map an array into memory; an empty one cannot be mapped."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        tokens = np.load(path, allow_pickle=False)
        if tokens.size:
            raise
        return tokens


def _encode(
    blocks: Iterable[Block], tokenizer: Tokenizer, has_documents: bool
) -> Iterator[np.ndarray]:
    """Yield the ids of each block, int[num_tokens], with BOS and EOS around documents."""
    bos, eos = tokenizer.special.bos, tokenizer.special.eos
    # One token may be both, as GPT-2's <|endoftext|> is.
    between = [eos] if bos == eos else [eos, bos]
    at_start = has_documents
    for block in blocks:
        ids, lengths = tokenizer.encode_all(block)
        if not has_documents:
            yield ids
            continue
        if at_start and block[0]:
            yield np.array([bos])
            at_start = False
        # After each text but the last, a document ends and the next begins. If the last text
        # is empty, that document only begins with the next block.
        ends = np.cumsum(lengths)[:-1]
        ids = np.insert(ids, np.repeat(ends, len(between)), np.tile(between, len(ends)))
        if len(block) > 1 and not block[-1] and bos != eos:
            ids = ids[:-1]
            at_start = True
        yield ids


def _write_array(path: Path, pieces: Iterable[np.ndarray], dtype: np.dtype) -> None:
    """Write the pieces as one `.npy` array, whose length is known only at the end."""

    def write_header() -> None:
        # NumPy pads a header, so that the length can grow.
        description = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(file, description)

    length = 0
    with path.open("wb") as file:
        write_header()
        for piece in pieces:
            file.write(piece.astype(dtype).data)
            length += len(piece)
        file.seek(0)
        write_header()
        file.flush()
        os.fsync(file.fileno())


class TrainingWindows:
    """Windows of the training tokens, in a different random order in every epoch.

    The tokens are cut into adjacent windows, so that an epoch shows each token once. The
    position of the first cut is also random in every epoch, so that a token is not always at
    the same position of its window, and the last tokens are in a window, too.

    Args:
        tokens: int[num_tokens].
        context_length: T, the tokens that a window predicts.
        batch_size: B, windows per step.
        seed: Seed of the order.

    Raises:
        CorpusError: If the tokens do not fill one window.

    Example:
        >>> windows = TrainingWindows(np.arange(100), context_length=8, batch_size=4, seed=0)
        >>> windows.batches(step=0, count=2).shape
        (2, 4, 9)
    """

    def __init__(self, tokens: np.ndarray, context_length: int, batch_size: int, seed: int) -> None:
        if len(tokens) <= context_length:
            raise CorpusError(
                f"The training part must be longer than the context of {context_length} tokens. "
                f"Received: {len(tokens)} tokens; use more text or a smaller context_length."
            )
        self.tokens = tokens
        self.context_length = context_length
        self.batch_size = batch_size
        self.num_windows = max(1, (len(tokens) - context_length) // context_length)
        self._seed = seed
        self._epoch = lru_cache(maxsize=2)(self._draw_epoch)

    def _draw_epoch(self, epoch: int) -> tuple[int, Permutation]:
        """Return the start of an epoch's first window, and the order of its windows."""
        generator = np.random.default_rng([self._seed, epoch])
        spare = len(self.tokens) - 1 - self.num_windows * self.context_length
        phase = int(generator.integers(spare + 1))
        return phase, Permutation(self.num_windows, generator)

    def batches(self, step: int, count: int) -> np.ndarray:
        """Return the batches of steps `step` to `step + count - 1`.

        Returns:
            int32[count, B, T + 1]. Inputs are all tokens of a window but the last, targets all
            but the first.
        """
        numbers = np.arange(step * self.batch_size, (step + count) * self.batch_size)
        epochs, positions = np.divmod(numbers, self.num_windows)
        starts = np.empty_like(numbers)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            phase, order = self._epoch(int(epoch))
            starts[chosen] = phase + order[positions[chosen]] * self.context_length
        windows = self.tokens[starts[:, None] + np.arange(self.context_length + 1)]
        return windows.astype(np.int32).reshape(count, self.batch_size, -1)


class ValidationWindows:
    """Adjacent windows over the validation tokens; each token but the first is predicted once.

    From a long validation part, evenly spaced windows are taken, always the same ones.

    Args:
        tokens: int[num_tokens].
        context_length: T, the tokens that a window predicts.
        batch_size: B, windows per batch.
        max_targets: Most tokens to predict, but at least one window.

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
        max_targets: int = MAX_VALIDATION_TARGETS,
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
