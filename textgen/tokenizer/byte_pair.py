"""Byte-level BPE (byte pair encoding): frequent strings become tokens, and any text has ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textgen.config import check_vocab_size
from textgen.errors import TokenizerError
from textgen.tokenizer.byte_level import ByteLevelTokenizer
from textgen.tokenizer.byte_symbols import from_symbols
from textgen.tokenizer.token_ids import FIRST_BYTE, FIRST_MERGE, SPECIAL, SPECIAL_NAMES
from textgen.tokenizer.words import PATTERN, SPLITTER

if TYPE_CHECKING:
    from textgen.tokenizer.graph import WordStarts

_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")


class BytePairTokenizer(ByteLevelTokenizer):
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
    splitter = SPLITTER

    def __init__(self, merges: Sequence[tuple[bytes, bytes]]) -> None:
        self.merges = list(merges)
        # Learning never finds two merges that make the same token.
        ids = {bytes([byte]): FIRST_BYTE + byte for byte in range(256)}
        for rank, (left, right) in enumerate(self.merges):
            if left not in ids or right not in ids or left + right in ids:
                raise TokenizerError(
                    "A merge must make a new token of two earlier ones. "
                    f"Received: {left!r} and {right!r}, after {rank} merges"
                )
            ids[left + right] = FIRST_MERGE + rank
        self.ids = ids

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
        from tokenizers import Regex, models, pre_tokenizers, trainers
        from tokenizers import Tokenizer as Learner

        check_vocab_size(vocab_size)
        learner = Learner(models.BPE())
        learner.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - FIRST_BYTE,
            min_frequency=2,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        learner.train_from_iterator(
            (part for document in documents for part in SPLITTER.parts(document)), trainer
        )
        merges = json.loads(learner.to_str())["model"]["merges"]
        return cls([(from_symbols(left), from_symbols(right)) for left, right in merges])

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including the special ones."""
        return FIRST_MERGE + len(self.merges)

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of each token, by id; they may end within a character."""
        return [b""] * len(SPECIAL) + list(self.ids)

    def _word_starts(self) -> WordStarts:
        from textgen.tokenizer.graph.word_starts import word_starts

        return word_starts

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


def _to_text(piece: bytes) -> str:
    r"""Spell bytes readably: as UTF-8, with \xNN for a part of a character and \\ for \."""
    return piece.replace(b"\\", rb"\\").decode("utf-8", errors="backslashreplace")


def _from_text(text: str) -> bytes:
    return _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode("utf-8")
    )
