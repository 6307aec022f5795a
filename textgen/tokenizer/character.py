"""Character tokenizer: one token per Unicode code point, in any script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.errors import TokenizerError
from textgen.tokenizer.batches import batches
from textgen.tokenizer.token_ids import SPECIAL, SPECIAL_NAMES
from textgen.tokenizer.tokenizer import Tokenizer
from textgen.unicode import encode_unicode

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer


def _code_points(text: str) -> np.ndarray:
    """Return the code points of `text`, int32[len(text)]."""
    return np.frombuffer(encode_unicode(text, TokenizerError, "utf-32-le"), dtype=np.int32)


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """Return how often each character appears in all texts together.

    Raises:
        TokenizerError: If a text holds a lone surrogate.

    Example:
        >>> count_characters(["to", "too"])
        Counter({'o': 3, 't': 2})
    """
    counts: Counter[str] = Counter()
    for batch in batches(texts, len):
        points, occurrences = np.unique(_code_points("".join(batch)), return_counts=True)
        counts.update(dict(zip(map(chr, points.tolist()), occurrences.tolist(), strict=True)))
    return counts


class CharacterTokenizer(Tokenizer):
    """A vocabulary of single characters in code point order.

    Args:
        characters: The vocabulary without special tokens, each character once.

    Raises:
        TokenizerError: If there is no character, or an entry is not a single, distinct one.

    Example:
        >>> tokenizer = CharacterTokenizer.learn(["床前明月光"])
        >>> tokenizer.decode(tokenizer.encode("明月"))
        '明月'
    """

    kind = "character"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = sorted(characters)
        if not self.characters:
            raise TokenizerError("A character vocabulary must hold at least one character.")
        if any(len(character) != 1 for character in self.characters):
            raise TokenizerError("Every entry of a character vocabulary must be one character.")
        # Sorted code points make a lookup a binary search, on the host (NumPy) and in the
        # graph (tf.searchsorted), without a hash table.
        self.code_points = _code_points("".join(self.characters))
        if np.any(np.diff(self.code_points) == 0):
            raise TokenizerError("A character vocabulary must hold each character once.")

    @classmethod
    def learn(cls, documents: Iterable[str], min_count: int = 1) -> CharacterTokenizer:
        """Learn the vocabulary of `documents`.

        Args:
            documents: Texts of the training part. Their boundaries make no difference.
            min_count: Characters that appear less often become the unknown token.

        Raises:
            TokenizerError: If no character is frequent enough.
        """
        return cls.from_counts(count_characters(documents), min_count)

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> CharacterTokenizer:
        """Build the vocabulary from the result of `count_characters`; see `learn`."""
        characters = [character for character, count in counts.items() if count >= min_count]
        if counts and not characters:
            raise TokenizerError(
                f"min_count must be at most {max(counts.values())}, the count of the most "
                f"frequent character. Received: {min_count}"
            )
        return cls(characters)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the special ones."""
        return len(SPECIAL) + len(self.characters)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The UTF-8 bytes of each token, by id. Special tokens have none."""
        return [b""] * len(SPECIAL) + [text.encode() for text in self.characters]

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own, one token per character; see `Tokenizer.encode_all`."""
        lengths = np.array([len(text) for text in texts], np.int64)
        return self._ids.take(_code_points("".join(texts)), mode="clip"), lengths

    @cached_property
    def _ids(self) -> np.ndarray:
        """The id of every code point up to one past the vocabulary's last, int32[N]."""
        ids = np.full(self.code_points[-1] + 2, SPECIAL.unknown, np.int32)
        ids[self.code_points] = np.arange(len(self.code_points)) + len(SPECIAL)
        return ids

    def unknown_characters(self, text: str) -> list[str]:
        """Return the distinct characters of `text` that have no id, in order."""
        return sorted(set(text) - set(self.characters), key=text.index)

    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""
        from textgen.tokenizer.graph import CharacterGraphTokenizer

        return CharacterGraphTokenizer(self.code_points, self.pieces, self.special)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` builds the tokenizer again."""
        return {
            "kind": self.kind,
            "special_tokens": list(SPECIAL_NAMES),
            "characters": self.characters,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CharacterTokenizer:
        """Build the tokenizer from the result of `to_dict`."""
        return cls(values["characters"])
