"""Byte-level byte pair encoding: frequent strings become tokens, any text has ids."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.config import check_vocab_size
from textgen.errors import TokenizerError
from textgen.tokenizer.base import SPECIAL_TOKENS, Tokenizer, unicode_bytes
from textgen.tokenizer.batches import batches
from textgen.tokenizer.lexicon import Lexicon
from textgen.tokenizer.words import PATTERN, parts, words

if TYPE_CHECKING:
    import tokenizers

    from textgen.tokenizer.graph import GraphTokenizer

FIRST_BYTE = len(SPECIAL_TOKENS)
FIRST_MERGE = FIRST_BYTE + 256

# `tokenizers` writes every byte as one printable character, after GPT-2: as Latin-1's where
# that can be printed, the others as the characters from U+0100 on.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_UNPRINTABLE = sorted({*range(256)} - {*_PRINTABLE})
_SYMBOLS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(0x100 + place) for place, byte in enumerate(_UNPRINTABLE)
}
_BYTES = {symbol: byte for byte, symbol in _SYMBOLS.items()}

_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")


class BytePairTokenizer(Tokenizer):
    """A vocabulary of the 256 bytes and of what merges of two tokens make.

    A text is cut into words (`textgen.tokenizer.words`), a word into its UTF-8 bytes; then
    the pair of neighbours that was learned first is merged, again and again. Ids are the
    special tokens, the bytes, and the merges in the order in which they were learned.

    Args:
        merges: the bytes of the left and the right token of each merge.

    Raises:
        TokenizerError: a merge is not of two tokens before it, or makes no new one.

    Example:

        >>> tokenizer = BytePairTokenizer.learn(["low lower lowest"], vocab_size=270)
        >>> tokenizer.decode(tokenizer.encode("slow ☃"))
        'slow ☃'

    Reference:
        Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
        Units", 2016, https://arxiv.org/abs/1508.07909; on bytes: Radford et al., "Language
        Models are Unsupervised Multitask Learners", 2019.
    """

    kind = "bpe"

    def __init__(self, merges: Sequence[tuple[bytes, bytes]]) -> None:
        self.merges = list(merges)
        # Were there two ways to make a token, what to merge first would depend on places
        # in the word, and no longer on the pairs alone; learning never finds two.
        ids = {bytes([byte]): FIRST_BYTE + byte for byte in range(256)}
        for rank, (left, right) in enumerate(self.merges):
            if left not in ids or right not in ids or left + right in ids:
                raise TokenizerError(
                    "A merge must make a new token of two tokens before it. "
                    f"Received: {left!r} and {right!r}, after {rank} merges."
                )
            ids[left + right] = FIRST_MERGE + rank
        self._ids = ids

    @classmethod
    def learn(cls, documents: Iterable[str], vocab_size: int) -> BytePairTokenizer:
        """Learn the merges of `documents`.

        Args:
            documents: texts of the training part.
            vocab_size: number of tokens, the 3 special ones and the 256 bytes included.
                There are fewer where no further pair appears twice.

        Raises:
            ConfigError: `vocab_size` is outside its range; see `check_vocab_size`.
            TokenizerError: a document holds half a surrogate pair and is not Unicode text.
        """
        from tokenizers import models, pre_tokenizers, trainers

        check_vocab_size(vocab_size)
        learner = _engine(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - FIRST_BYTE,
            min_frequency=2,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        learner.train_from_iterator(
            (part for document in documents for part in _checked_parts(document)), trainer
        )
        merges = json.loads(learner.to_str())["model"]["merges"]
        return cls([(_from_symbols(left), _from_symbols(right)) for left, right in merges])

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""
        return FIRST_MERGE + len(self.merges)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes each id writes, by id, not always whole characters; see `Tokenizer`."""
        return [b""] * len(SPECIAL_TOKENS) + list(self._ids)

    @cached_property
    def _lexicon(self) -> Lexicon:
        from tokenizers import models

        vocabulary = {_to_symbols(piece): token for piece, token in self._ids.items()}
        merges = [(_to_symbols(left), _to_symbols(right)) for left, right in self.merges]
        engine = _engine(models.BPE(vocab=vocabulary, merges=merges))
        return Lexicon(lambda words: (each.ids for each in engine.encode_batch_fast(words)))

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts one by one; see `Tokenizer.encode_all`."""
        all_ids, counts = [np.zeros(0, np.int32)], np.zeros(len(texts), np.int64)
        pending = ((row, part) for row, text in enumerate(texts) for part in _checked_parts(text))
        # A batch at a time, because a word is an object while it is looked up.
        for batch in batches(pending, lambda item: len(item[1])):
            rows, words_of_parts = zip(*((row, words(part)) for row, part in batch), strict=True)
            ids, lengths = self._lexicon.look_up([*itertools.chain.from_iterable(words_of_parts)])
            all_ids.append(ids)
            ends = np.cumsum([len(each) for each in words_of_parts])
            read = np.cumsum(lengths)[ends - 1]
            np.add.at(counts, list(rows), np.diff(read, prepend=0))
        return np.concatenate(all_ids), counts

    def unknown_characters(self, text: str) -> list[str]:
        """Return no characters: bytes write them all."""
        return []

    def in_graph(self) -> GraphTokenizer:
        """Return the TensorFlow ops that give the same ids inside a graph."""
        from textgen.tokenizer.graph_byte_pair import BytePairGraphTokenizer

        pairs = [(self._ids[left], self._ids[right]) for left, right in self.merges]
        return BytePairGraphTokenizer(np.array(pairs, np.int64).reshape(-1, 2), self.pieces)

    def to_dict(self) -> dict[str, Any]:
        """Return what `load_tokenizer` needs, as plain JSON values."""
        return {
            "kind": self.kind,
            "special_tokens": list(SPECIAL_TOKENS),
            "merges": [[_to_text(left), _to_text(right)] for left, right in self.merges],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BytePairTokenizer:
        """Build the tokenizer from `to_dict`'s result.

        Raises:
            TokenizerError: the merges are not pairs of strings, or not of tokens before them.
        """
        try:
            merges = [(_from_text(left), _from_text(right)) for left, right in values["merges"]]
        except (AttributeError, TypeError, ValueError) as error:
            raise TokenizerError(f"The merges must be pairs of strings ({error}).") from error
        return cls(merges)


def _engine(model: tokenizers.models.BPE) -> tokenizers.Tokenizer:
    """Return `tokenizers`' own tokenizer, which cuts texts into our words."""
    from tokenizers import Regex, Tokenizer, pre_tokenizers

    engine = Tokenizer(model)
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return engine


def _checked_parts(text: str) -> Iterator[str]:
    unicode_bytes(text, "utf-8")  # refuses what is not Unicode text
    return parts(text)


def _to_symbols(piece: bytes) -> str:
    return "".join(_SYMBOLS[byte] for byte in piece)


def _from_symbols(symbols: str) -> bytes:
    return bytes(_BYTES[symbol] for symbol in symbols)


def _to_text(piece: bytes) -> str:
    r"""Write bytes readably: as UTF-8, with \xNN for a part of a character, \\ for \."""
    return piece.replace(b"\\", rb"\\").decode("utf-8", errors="backslashreplace")


def _from_text(text: str) -> bytes:
    return _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode("utf-8")
    )
