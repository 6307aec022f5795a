"""The size of a corpus: how much there is to learn, and how hard it is."""

from __future__ import annotations

import bz2
import math
from dataclasses import dataclass

# How much of a corpus to compress, to see how hard it is: bzip2 looks at no more at a time.
COMPRESSED_CHARACTERS = 2**20
# A smaller corpus must be read more often, or nothing is learned at all: with the fourth root.
_SMALL_CORPUS = 350_000  # tokens


@dataclass(frozen=True)
class CorpusSize:
    """What a plan needs to know of a corpus.

    Attributes:
        train_characters: of the training part.
        validation_characters: of the validation part.
        train_tokens: of the training part.
        validation_tokens: that one validation predicts; of a long validation part, not all.
        vocab_size: number of different tokens.
        compressed_bits: what a character takes after compression; see `compressed_bits`.
    """

    train_characters: int
    validation_characters: int
    train_tokens: int
    validation_tokens: int
    vocab_size: int
    compressed_bits: float

    @property
    def guessed_bits(self) -> float:
        """What a character takes where every token is as likely as any other."""
        return math.log2(self.vocab_size) * self.train_tokens / max(self.train_characters, 1)

    @property
    def rereading(self) -> float:
        """How much more often than a large corpus this one may and must be read."""
        return max(1.0, (_SMALL_CORPUS / self.train_tokens) ** 0.25)


def compressed_bits(text: str) -> float:
    """Return the bits a character takes after bzip2: roughly, how hard it is to foretell.

    Args:
        text: the first `COMPRESSED_CHARACTERS` of the training part, or all there are.
    """
    size = len(bz2.compress(text.encode())) - len(bz2.compress(b""))
    return 8 * size / max(len(text), 1)
