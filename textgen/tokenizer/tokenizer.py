"""The contract of every tokenizer."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.files import write_atomically
from textgen.tokenizer.token_ids import SPECIAL, SPECIAL_NAMES, SpecialTokens

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer


class Tokenizer(ABC):
    """Converts text to token ids and back.

    Attributes:
        kind: Name of the algorithm, as tokenizer.json and the settings spell it.
        special: Ids of the special tokens.
    """

    kind: str
    special: SpecialTokens = SPECIAL

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of tokens, including the special ones."""

    @property
    @abstractmethod
    def pieces(self) -> list[bytes]:
        """The UTF-8 bytes of each token, by id. Special tokens have none."""

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end a text, `special.eos` first. Published models may have several."""
        return (self.special.eos,)

    @property
    def special_texts(self) -> dict[int, str]:
        """The names of the tokens that stand for no text, by id.

        Such a text in a prompt is ordinary text.
        """
        return dict(zip(SPECIAL, SPECIAL_NAMES, strict=True))

    def normalize(self, text: str) -> str:
        """Return the text that is encoded; the same, unless a published tokenizer changes it."""
        return text

    def encode(self, text: str) -> np.ndarray:
        """Return the ids of `text`, int32[num_tokens], without BOS or EOS.

        Raises:
            TokenizerError: If the text holds a lone surrogate.
        """
        return self.encode_all([text])[0]

    @abstractmethod
    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own.

        Returns:
            The concatenated ids, int32[num_tokens], and the number of tokens in each text,
            int64[len(texts)].

        Raises:
            TokenizerError: If a text holds a lone surrogate.
        """

    def encode_pairs(
        self, prompts: Sequence[str], answers: Sequence[str]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encode prompts with their answers, as the model sees them when it answers.

        The last tokens of a prompt that join the answer belong to the answer, because they are
        taken off the prompt before the answer is generated; see `textgen.generation.healing`.

        Args:
            prompts: Texts, each with the answer of the same index.
            answers: Texts.

        Returns:
            An iterator over pairs of ids, int32[num_tokens] each.

        Raises:
            TokenizerError: If a text holds a lone surrogate.
        """
        before = self._each(prompts)
        wholes = self._each([a + b for a, b in zip(prompts, answers, strict=True)])
        for prompt, whole in zip(before, wholes, strict=True):
            size = min(len(prompt), len(whole))
            same = prompt[:size] == whole[:size]
            cut = size if same.all() else int(np.argmin(same))
            yield whole[:cut], whole[cut:]

    def _each(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the ids of each text."""
        ids, counts = self.encode_all(texts)
        return np.split(ids, np.cumsum(counts)[:-1])

    @abstractmethod
    def unknown_characters(self, text: str) -> list[str]:
        """Return the distinct characters of `text` that have no id, in order."""

    @abstractmethod
    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `load_tokenizer` builds the tokenizer again."""

    def decode(self, token_ids: np.ndarray | list[int]) -> str:
        """Return the text of `token_ids`, int[num_tokens].

        Bytes that form no character become U+FFFD.
        """
        pieces = self.pieces
        return b"".join(pieces[i] for i in token_ids).decode("utf-8", errors="replace")

    def prefix_id(self, has_documents: bool) -> int:
        """Return the id put before every prompt, so that an empty one is no special case.

        It is what precedes a beginning in the training text: BOS if the corpus was split into
        documents, otherwise a newline if the vocabulary has one.
        """
        newline = self.encode("\n")
        if has_documents or newline.size != 1 or newline[0] == self.special.unknown:
            return self.special.bos
        return int(newline[0])

    def save(self, path: Path) -> None:
        """Write the tokenizer to `path` as readable JSON."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n"
        write_atomically(path, text.encode("utf-8"))
