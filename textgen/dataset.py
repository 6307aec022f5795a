"""The tokens of a corpus on disk."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from textgen.arrays import map_array
from textgen.corpus import Block, join_blocks, to_exchanges
from textgen.digests import DIGESTS_NAME, DigestError, check_digests, record_digests
from textgen.errors import CorpusError
from textgen.files import publish_folder
from textgen.tokenizer import Tokenizer

# Tokens in memory at once while all of the training part is read.
_CHUNK = 2**20
# Rows that are encoded at a time.
_ROWS = 2**12
_PARTS = ("train", "validation", "test", "replay")


class TokenStore:
    """The tokens of a corpus in memory-mapped files.

    Args:
        folder: Folder that `write` made.

    Attributes:
        train: Tokens of the training part, uint16[num_tokens] or uint32[num_tokens].
        validation: Tokens of the validation part, the same type. Empty if the corpus has none.
        test: Tokens of the test part, the same type; `None` if the corpus has none.
        replay: Tokens of older text to mix in, the same type; `None` if there is none.
        rows: If the corpus has prompts, the rows of each part by its name, int64[num_rows, 3]:
            where a row starts, where its answer starts, and where it ends. Otherwise empty.

    Raises:
        CorpusError: If the files are missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.train = map_array(folder / "train.npy")
            self.validation = map_array(folder / "validation.npy")
            self.test, self.replay = (
                map_array(path) if (path := folder / f"{part}.npy").exists() else None
                for part in ("test", "replay")
            )
            self.rows = {
                part: map_array(path)
                for part in _PARTS
                if (path := folder / f"{part}_rows.npy").exists()
            }
        except (OSError, ValueError) as error:
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
        optional = (self.test, self.replay)
        filled = [self.train, *(tokens for tokens in optional if tokens is not None)]
        if has_validation:
            filled.append(self.validation)
        for tokens in filled:
            is_sound = tokens.ndim == 1 and tokens.dtype in (np.uint16, np.uint32) and tokens.size
            if not is_sound or tokens.max() >= vocab_size:
                raise CorpusError(damaged)
        for part, rows in self.rows.items():
            is_sound = rows.ndim == 2 and rows.shape[1] == 3 and rows.dtype == np.int64
            if not is_sound or (np.diff(rows.ravel()) < 0).any():
                raise CorpusError(damaged)
            if rows.size and (rows[0, 0] != 0 or rows[-1, 2] > len(getattr(self, part))):
                raise CorpusError(damaged)

    def seen(self, vocab_size: int) -> np.ndarray:
        """Return which tokens appear in the training part, bool[vocab_size]."""
        seen = np.zeros(vocab_size, bool)
        for start, end in _chunks(self.train.size):
            seen[self.train[start:end]] = True
        return seen

    def num_learned(self, part: str) -> int:
        """Return how many tokens of a part are to be learned: all, or those of answers.

        Args:
            part: `"train"`, `"validation"`, `"test"` or `"replay"`.
        """
        if part not in self.rows:
            return int(getattr(self, part).size)
        rows = self.rows[part]
        return int((rows[:, 2] - rows[:, 1]).sum())

    def count_learned(self, part: str, token: int) -> int:
        """Return how many of the tokens of a part that are to be learned are this one."""
        tokens = getattr(self, part)
        spans = self.rows[part][:, 1:].tolist() if part in self.rows else _chunks(tokens.size)
        return sum(int((tokens[start:end] == token).sum()) for start, end in spans)

    @classmethod
    def write(
        cls,
        folder: Path,
        train: Iterable[Block],
        validation: Iterable[Block],
        tokenizer: Tokenizer,
        has_documents: bool,
        test: Iterable[Block] | None = None,
        replay: Iterable[Block] | None = None,
        has_prompts: bool = False,
    ) -> TokenStore:
        """Encode a corpus block by block and write it to `folder` atomically.

        Args:
            folder: Folder to create.
            train: Training documents in blocks; see `textgen.corpus.documents`.
            validation: Validation documents in blocks.
            tokenizer: Converts text to ids.
            has_documents: Whether to put BOS and EOS around every document.
            test: Test documents in blocks, if there are any.
            replay: Documents of older text in blocks, if there are any.
            has_prompts: Whether documents are made of prompts and answers. Each pair becomes a
                row: BOS, prompt, answer, EOS.
        """
        dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
        with publish_folder(folder) as scratch:
            parts = {"train": train, "validation": validation, "test": test, "replay": replay}
            for part, blocks in parts.items():
                if blocks is None:
                    continue
                if has_prompts:
                    pairs = _encode_rows(blocks, tokenizer)
                    rows = _RowWriter()
                    _write_array(scratch / f"{part}.npy", map(rows.add, pairs), dtype)
                    if (all_rows := rows.all()).size:  # what is empty cannot be mapped
                        np.save(scratch / f"{part}_rows.npy", all_rows)
                    continue
                # Texts are generated after BOS if the vocabulary has no newline, so it is learned.
                begins = part == "train" and tokenizer.prefix_id(False) == tokenizer.special.bos
                pieces = _encode(blocks, tokenizer, has_documents, has_documents or begins)
                _write_array(scratch / f"{part}.npy", pieces, dtype)
            record_digests(scratch, scratch / DIGESTS_NAME)
        return cls(folder)


def _encode(
    blocks: Iterable[Block], tokenizer: Tokenizer, has_documents: bool, at_start: bool
) -> Iterator[np.ndarray]:
    """Yield the ids of each block, int[num_tokens], with BOS and EOS around documents.

    Args:
        blocks: The documents in blocks.
        tokenizer: Converts text to ids.
        has_documents: Whether to put BOS and EOS around every document.
        at_start: Whether to put BOS before the first text.
    """
    bos, eos = tokenizer.special.bos, tokenizer.special.eos
    # One token may be both, as GPT-2's <|endoftext|> is.
    between = [eos] if bos == eos else [eos, bos]
    for block in blocks:
        ids, lengths = tokenizer.encode_all(block)
        if at_start and block[0]:
            yield np.array([bos])
            at_start = False
        if not has_documents:
            yield ids
            continue
        # After each text but the last, a document ends and the next begins. If the last text
        # is empty, that document only begins with the next block.
        ends = np.cumsum(lengths)[:-1]
        ids = np.insert(ids, np.repeat(ends, len(between)), np.tile(between, len(ends)))
        if len(block) > 1 and not block[-1] and bos != eos:
            ids = ids[:-1]
            at_start = True
        yield ids


class _RowWriter:
    """Collects where rows start and stop while their tokens are written."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = [np.zeros((0, 3), np.int64)]
        self._num_tokens = 0

    def add(self, encoded: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Record the rows of some tokens, and return the tokens."""
        ids, rows = encoded
        self._rows.append(rows + self._num_tokens)
        self._num_tokens += len(ids)
        return ids

    def all(self) -> np.ndarray:
        """Return all rows, int64[num_rows, 3]."""
        return np.concatenate(self._rows)


def _chunks(size: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of pieces that fit into memory."""
    return ((start, start + _CHUNK) for start in range(0, size, _CHUNK))


def _encode_rows(
    blocks: Iterable[Block], tokenizer: Tokenizer
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the ids of some rows, int[num_tokens], and where the rows are in it, int64[n, 3]."""
    exchanges = (each for document in join_blocks(blocks) for each in to_exchanges(document))
    while batch := [*itertools.islice(exchanges, _ROWS)]:
        answers = [answer for _, answer in batch]
        pieces, sizes = [], []
        bos, eos = np.array([tokenizer.special.bos]), np.array([tokenizer.special.eos])
        for prompt, answer in tokenizer.encode_pairs([prompt for prompt, _ in batch], answers):
            pieces += [bos, prompt, answer, eos]
            sizes.append((1 + len(prompt), len(answer) + 1))
        ends = np.cumsum(np.array(sizes, np.int64).ravel()).reshape(-1, 2)
        starts = np.concatenate([[0], ends[:-1, 1]])
        yield np.concatenate(pieces), np.column_stack([starts, ends])


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
