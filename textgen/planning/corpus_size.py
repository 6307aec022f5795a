"""The size of a corpus: how much there is to learn, and how hard it is."""

from __future__ import annotations

import bz2
import math
from dataclasses import dataclass

# How much of a corpus to compress, to see how hard it is: bzip2 looks at no more at a time.
COMPRESSED_CHARACTERS = 2**20
# In tokens. A smaller corpus must be repeated more often, or nothing is learned at all: with
# the fourth root of the ratio.
_SMALL_CORPUS = 350_000


@dataclass(frozen=True)
class CorpusSize:
    """What a plan needs to know about a corpus.

    Attributes:
        train_characters: Characters in the training part.
        validation_characters: Characters in the validation part.
        train_tokens: Tokens in the training part.
        validation_tokens: Tokens that one validation predicts: of a long validation part, not
            all.
        vocab_size: Number of different tokens.
        compressed_bits: Bits per character after compression; see `compressed_bits`.
        train_fraction: Fraction of the windows that are cut from the training part; the others
            are of older text.
        num_rows: If the corpus has prompts, the rows of the training part, each a window.
        longest_row: Tokens of the longest row.
    """

    train_characters: int
    validation_characters: int
    train_tokens: int
    validation_tokens: int
    vocab_size: int
    compressed_bits: float
    train_fraction: float = 1.0
    num_rows: int = 0
    longest_row: int = 0

    def windows_per_epoch(self, length: int) -> float:
        """Return the number of windows that hold the training part once.

        Args:
            length: Tokens that a window predicts.
        """
        return self.num_rows or self.train_tokens / length

    @property
    def guessed_bits(self) -> float:
        """Bits per character of a guess to which all tokens are equally likely."""
        return math.log2(self.vocab_size) * self.train_tokens / max(self.train_characters, 1)

    @property
    def rereading(self) -> float:
        """How many times more epochs this corpus may and must have than a large one."""
        return max(1.0, (_SMALL_CORPUS / self.train_tokens) ** 0.25)


def compressed_bits(text: str) -> float:
    """Return the bits per character after bzip2: roughly, how hard a text is to predict.

    Args:
        text: The first `COMPRESSED_CHARACTERS` of the training part, or all there are.
    """
    size = len(bz2.compress(text.encode())) - len(bz2.compress(b""))
    return 8 * size / max(len(text), 1)
