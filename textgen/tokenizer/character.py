"""One token a character (Unicode code point), of any script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.errors import TokenizerError
from textgen.tokenizer.base import SPECIAL_TOKENS, UNKNOWN, Tokenizer, unicode_bytes
from textgen.tokenizer.batches import batches

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer


def _code_points(text: str) -> np.ndarray:
    """Return the code points of `text`, int32[len(text)]."""
    return np.frombuffer(unicode_bytes(text, "utf-32-le"), dtype=np.int32)


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """Return how often each character appears in all texts together.

    Raises:
        TokenizerError: a text holds half a surrogate pair.
    """
    counts: Counter[str] = Counter()
    for batch in batches(texts, len):
        points, occurrences = np.unique(_code_points("".join(batch)), return_counts=True)
        counts.update(dict(zip(map(chr, points.tolist()), occurrences.tolist(), strict=True)))
    return counts


class CharacterTokenizer(Tokenizer):
    """A vocabulary of single characters in code point order.

    Args:
        characters: the vocabulary without special tokens, each character once.

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
        # Sorted code points, so that looking one up is a binary search on the host
        # (numpy) and in the graph (tf.searchsorted) alike, without a hash table.
        self.code_points = _code_points("".join(self.characters))
        if np.any(np.diff(self.code_points) == 0):
            raise TokenizerError("A character stands twice in the vocabulary.")

    @classmethod
    def learn(cls, documents: Iterable[str], min_count: int = 1) -> CharacterTokenizer:
        """Learn the vocabulary of `documents`.

        Args:
            documents: texts of the training part; where they begin and end is of no account.
            min_count: characters seen less often become the unknown token.

        Raises:
            TokenizerError: no character is frequent enough.
        """
        return cls.of_counts(count_characters(documents), min_count)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> CharacterTokenizer:
        """Return the vocabulary of texts whose characters were counted; see `learn`."""
        characters = [character for character, count in counts.items() if count >= min_count]
        if not characters:
            raise TokenizerError(
                f"No character of the corpus appears {min_count} times; lower --min-count."
            )
        return cls(characters)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""
        return len(SPECIAL_TOKENS) + len(self.characters)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The UTF-8 bytes each id writes, by id; special tokens write nothing."""
        return [b""] * len(SPECIAL_TOKENS) + [text.encode() for text in self.characters]

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts one by one, a token a character; see `Tokenizer.encode_all`."""
        lengths = np.array([len(text) for text in texts], np.int64)
        return self._ids.take(_code_points("".join(texts)), mode="clip"), lengths

    @cached_property
    def _ids(self) -> np.ndarray:
        """The id of every code point up to one past the vocabulary's last, int32[N]."""
        ids = np.full(self.code_points[-1] + 2, UNKNOWN, np.int32)
        ids[self.code_points] = np.arange(len(self.code_points)) + len(SPECIAL_TOKENS)
        return ids

    def unknown_characters(self, text: str) -> list[str]:
        """Return the characters of `text` that have no id, each once, in order."""
        return sorted(set(text) - set(self.characters), key=text.index)

    def in_graph(self) -> GraphTokenizer:
        """Return the TensorFlow ops that give the same ids inside a graph."""
        from textgen.tokenizer.graph import CharacterGraphTokenizer

        return CharacterGraphTokenizer(self.code_points, self.pieces)

    def to_dict(self) -> dict[str, Any]:
        """Return what `load_tokenizer` needs, as plain JSON values."""
        return {
            "kind": self.kind,
            "special_tokens": list(SPECIAL_TOKENS),
            "characters": self.characters,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CharacterTokenizer:
        """Build the tokenizer from `to_dict`'s result."""
        return cls(values["characters"])
