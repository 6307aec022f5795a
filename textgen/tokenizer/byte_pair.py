"""Byte-level BPE (byte pair encoding): frequent strings become tokens, and any text has ids."""

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
from textgen.tokenizer.batches import batches
from textgen.tokenizer.lexicon import Lexicon
from textgen.tokenizer.token_ids import FIRST_BYTE, FIRST_MERGE, SPECIAL, SPECIAL_NAMES
from textgen.tokenizer.tokenizer import Tokenizer
from textgen.tokenizer.words import PATTERN, parts, words
from textgen.unicode import encode_unicode

if TYPE_CHECKING:
    import tokenizers

    from textgen.tokenizer.graph import GraphTokenizer

# The `tokenizers` library represents every byte by one printable character, as GPT-2 does: by
# the Latin-1 character if it is printable, otherwise by a character from U+0100 on.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_UNPRINTABLE = sorted({*range(256)} - {*_PRINTABLE})
_SYMBOLS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(0x100 + index) for index, byte in enumerate(_UNPRINTABLE)
}
_BYTES = {symbol: byte for byte, symbol in _SYMBOLS.items()}

_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")


class BytePairTokenizer(Tokenizer):
    """A vocabulary of the 256 bytes and of merges, each of two earlier tokens.

    A text is cut into words (`textgen.tokenizer.words`) and a word into its UTF-8 bytes. Then
    the pair of neighbors that was learned first is merged, again and again. Ids are the special
    tokens, the bytes, and the merges in the order in which they were learned.

    Args:
        merges: Left and right bytes of each merge.

    Raises:
        TokenizerError: If a merge does not make a new token of two earlier ones.

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
        # If two merges made the same token, the next merge would depend on positions in the
        # word, not on the pairs alone. Learning never finds two.
        ids = {bytes([byte]): FIRST_BYTE + byte for byte in range(256)}
        for rank, (left, right) in enumerate(self.merges):
            if left not in ids or right not in ids or left + right in ids:
                raise TokenizerError(
                    "A merge must make a new token of two earlier ones. "
                    f"Received: {left!r} and {right!r}, after {rank} merges"
                )
            ids[left + right] = FIRST_MERGE + rank
        self._ids = ids

    @classmethod
    def learn(cls, documents: Iterable[str], vocab_size: int) -> BytePairTokenizer:
        """Learn the merges of `documents`.

        Args:
            documents: Texts of the training part.
            vocab_size: Number of tokens, including 3 special ones and 256 bytes. The
                vocabulary is smaller if no other pair appears twice.

        Raises:
            ConfigError: If `vocab_size` is out of range; see `check_vocab_size`.
            TokenizerError: If a document holds a lone surrogate.
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
        """Number of tokens, including the special ones."""
        return FIRST_MERGE + len(self.merges)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of each token, by id; they may end within a character."""
        return [b""] * len(SPECIAL) + list(self._ids)

    @cached_property
    def _lexicon(self) -> Lexicon:
        from tokenizers import models

        vocabulary = {_to_symbols(piece): token for piece, token in self._ids.items()}
        merges = [(_to_symbols(left), _to_symbols(right)) for left, right in self.merges]
        engine = _engine(models.BPE(vocab=vocabulary, merges=merges))
        return Lexicon(lambda words: (each.ids for each in engine.encode_batch_fast(words)))

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own; see `Tokenizer.encode_all`."""
        all_ids, counts = [np.zeros(0, np.int32)], np.zeros(len(texts), np.int64)
        pending = ((row, part) for row, text in enumerate(texts) for part in _checked_parts(text))
        # In batches, because every word is a Python object while it is looked up.
        for batch in batches(pending, lambda item: len(item[1])):
            rows, words_of_parts = zip(*((row, words(part)) for row, part in batch), strict=True)
            ids, lengths = self._lexicon.look_up([*itertools.chain.from_iterable(words_of_parts)])
            all_ids.append(ids)
            ends = np.cumsum([len(each) for each in words_of_parts])
            num_tokens = np.cumsum(lengths)[ends - 1]
            np.add.at(counts, list(rows), np.diff(num_tokens, prepend=0))
        return np.concatenate(all_ids), counts

    def unknown_characters(self, text: str) -> list[str]:
        """Return an empty list: every character has bytes."""
        return []

    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""
        from textgen.tokenizer.graph import BytePairGraphTokenizer

        pairs = [(self._ids[left], self._ids[right]) for left, right in self.merges]
        return BytePairGraphTokenizer(
            np.array(pairs, np.int64).reshape(-1, 2), self.pieces, self.special
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` builds the tokenizer again."""
        return {
            "kind": self.kind,
            "special_tokens": list(SPECIAL_NAMES),
            "merges": [[_to_text(left), _to_text(right)] for left, right in self.merges],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BytePairTokenizer:
        """Build the tokenizer from the result of `to_dict`.

        Raises:
            TokenizerError: If a merge is not a pair of strings, or not of earlier tokens.
        """
        try:
            merges = [(_from_text(left), _from_text(right)) for left, right in values["merges"]]
        except (AttributeError, TypeError, ValueError) as error:
            raise TokenizerError(f"The merges must be pairs of strings ({error}).") from error
        return cls(merges)


def _engine(model: tokenizers.models.BPE) -> tokenizers.Tokenizer:
    """Return a tokenizer of the `tokenizers` library that cuts texts into our words."""
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
    encode_unicode(text, TokenizerError)  # for its check
    return parts(text)


def _to_symbols(piece: bytes) -> str:
    return "".join(_SYMBOLS[byte] for byte in piece)


def _from_symbols(symbols: str) -> bytes:
    return bytes(_BYTES[symbol] for symbol in symbols)


def _to_text(piece: bytes) -> str:
    r"""Spell bytes readably: as UTF-8, with \xNN for a part of a character and \\ for \."""
    return piece.replace(b"\\", rb"\\").decode("utf-8", errors="backslashreplace")


def _from_text(text: str) -> bytes:
    return _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode("utf-8")
    )
