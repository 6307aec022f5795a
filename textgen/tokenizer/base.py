"""What every tokenizer offers, and how one is read back from its file."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.errors import TokenizerError
from textgen.files import write_atomically

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer

UNKNOWN, START, END = 0, 1, 2
SPECIAL_TOKENS = ("<unknown>", "<start>", "<end>")


class Tokenizer(ABC):
    """Text to ids and back.

    Ids 0, 1 and 2 are the unknown, start and end tokens of every tokenizer. The
    unknown and start tokens are never sampled; the end token ends a document.
    """

    kind: str

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""

    @property
    @abstractmethod
    def pieces(self) -> list[bytes]:
        """The UTF-8 bytes each id writes, by id; special tokens write nothing."""

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of `text`, int32[num_tokens], without special tokens around it.

        Raises:
            TokenizerError: the text holds half a surrogate pair and is not Unicode text.
        """
        return self.encode_all([text])[0]

    @abstractmethod
    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode texts one by one.

        Returns:
            Their ids one after another, int32[num_tokens], and the tokens of each,
            int64[len(texts)].

        Raises:
            TokenizerError: as for `encode`.
        """

    @abstractmethod
    def unknown_characters(self, text: str) -> list[str]:
        """Return the characters of `text` that have no id, each once, in order."""

    @abstractmethod
    def in_graph(self) -> GraphTokenizer:
        """Return the TensorFlow ops that give the same ids inside a graph."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return what `load_tokenizer` needs, as plain JSON values."""

    def decode(self, token_ids: np.ndarray | list[int]) -> str:
        """Return the text of `token_ids`, int[num_tokens]."""
        pieces = self.pieces
        return b"".join(pieces[i] for i in token_ids).decode("utf-8", errors="replace")

    def boundary(self, has_documents: bool) -> int:
        """Return the id put before every prompt, so that an empty one needs no special case.

        It is what stood before a beginning in the training text: the start token where
        the corpus was split into documents, otherwise a newline if the corpus has one.
        """
        newline = self.encode("\n")
        if has_documents or newline.size != 1 or newline[0] == UNKNOWN:
            return START
        return int(newline[0])

    def save(self, path: Path) -> None:
        """Write the tokenizer as readable JSON."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n"
        write_atomically(path, text.encode("utf-8"))


def unicode_bytes(text: str, encoding: str) -> bytes:
    """Return `text.encode(encoding)`.

    Args:
        text: any text.
        encoding: one that can write all of Unicode.

    Raises:
        TokenizerError: the text holds half a surrogate pair and is not Unicode text.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise TokenizerError(
            "Text must be Unicode without lone surrogates. "
            f"Received: U+{ord(text[error.start]):04X} at character {error.start}."
        ) from None


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer written by `Tokenizer.save`.

    Raises:
        TokenizerError: the file is missing, damaged, or of an unknown kind.
    """
    from textgen.tokenizer.byte_pair import BytePairTokenizer
    from textgen.tokenizer.character import CharacterTokenizer

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        for tokenizer in (CharacterTokenizer, BytePairTokenizer):
            if values["kind"] == tokenizer.kind:
                return tokenizer.from_dict(values)
    except FileNotFoundError:
        raise TokenizerError(f"{path}: there is no tokenizer file.") from None
    except (ValueError, KeyError, TypeError, OSError, TokenizerError) as error:
        raise TokenizerError(f"{path}: the tokenizer file is damaged ({error}).") from error
    raise TokenizerError(f"{path}: unknown kind of tokenizer {values['kind']!r}.")
