"""The tokenizer of a published model: byte-level BPE with the vocabulary of its file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.errors import TokenizerError
from textgen.tokenizer.byte_symbols import from_symbols, to_symbols
from textgen.tokenizer.character_classes import CharacterClasses
from textgen.tokenizer.imported import ImportedTokenizer
from textgen.tokenizer.published_words import PATTERNS, published_splitter
from textgen.tokenizer.splitter import WordSplitter
from textgen.tokenizer.token_ids import SpecialTokens

if TYPE_CHECKING:
    from textgen.tokenizer.graph import WordStarts


class PublishedTokenizer(ImportedTokenizer):
    """A vocabulary with the ids of a published model, such as GPT-2, SmolLM, Llama 3 or Qwen.

    Its ids equal those of Hugging Face's `tokenizers` for any text. Use `from_vocabulary`
    unless the classes of characters are known.

    Args:
        pieces: The bytes of each token, by id. Special and unused tokens have none. A byte that
            is no token is left out of every text.
        merges: Left and right bytes of each merge, in order.
        pattern: How texts are cut into words, a key of `PATTERNS`.
        classes: Which characters are letters, numbers and spaces.
        special: Ids of the special tokens. A vocabulary without an unknown token names any
            special one as `unknown`: it fills what is over, and is never sampled.
        special_texts: Names of all special tokens, by id, as a prompt template spells them.
        keeps_whole_words: Whether a word that is a token is never merged of parts.
        normalizes: Whether texts are first normalized to Unicode's form NFC. The graph does not do
            that: programs that feed it must send NFC.
        more_eos: Ids of special tokens that end a text as `special.eos` does.

    Raises:
        TokenizerError: If the parts contradict each other.
    """

    kind = "published_bpe"

    def __init__(
        self,
        pieces: Sequence[bytes],
        merges: Sequence[tuple[bytes, bytes]],
        pattern: str,
        classes: CharacterClasses,
        special: SpecialTokens,
        special_texts: Mapping[int, str],
        keeps_whole_words: bool = False,
        normalizes: bool = False,
        more_eos: Sequence[int] = (),
    ) -> None:
        if pattern not in PATTERNS:
            raise TokenizerError(
                f"pattern must be one of {', '.join(PATTERNS)}. Received: {pattern!r}"
            )
        self.pattern = pattern
        self.classes = classes
        self.keeps_whole_words = keeps_whole_words
        self.normalizes = normalizes
        super().__init__(pieces, merges, special, special_texts, more_eos)
        if self.keeps_whole_words and not all(bytes([byte]) in self.ids for byte in range(256)):
            raise TokenizerError("A vocabulary that keeps whole words must hold every byte.")

    @classmethod
    def from_vocabulary(
        cls,
        pieces: Sequence[bytes],
        merges: Sequence[tuple[int, int]],
        pattern: str,
        special: SpecialTokens,
        special_texts: Mapping[int, str],
        keeps_whole_words: bool = False,
        normalizes: bool = False,
        more_eos: Sequence[int] = (),
    ) -> PublishedTokenizer:
        """Build the tokenizer from what a published file says.

        The installed `tokenizers` says which characters are letters, numbers and spaces. That
        takes two seconds; the file of the tokenizer keeps the answer.

        Args:
            pieces: The bytes of each token, by id. Special and unused tokens have none. A byte
                that is no token is left out of every text.
            merges: The ids of the two tokens of each merge, in order.
            pattern: `"gpt2"`, `"smollm"`, `"llama3"` or `"qwen2"`.
            special: Ids of the special tokens.
            special_texts: Names of all special tokens, by id.
            keeps_whole_words: Whether a word that is a token is never merged of parts
                (`ignore_merges` in tokenizer.json).
            normalizes: Whether texts are first normalized to Unicode's form NFC.
            more_eos: Ids of special tokens that end a text as `special.eos` does.

        Raises:
            TokenizerError: If the parts contradict each other.

        Example:
            >>> pieces = [b"", *(bytes([byte]) for byte in range(256)), b"be"]
            >>> tokenizer = PublishedTokenizer.from_vocabulary(
            ...     pieces, [(99, 102)], "gpt2", SpecialTokens(0, 0, 0), {0: "<|endoftext|>"}
            ... )
            >>> tokenizer.encode("to be")
            array([117, 112,  33, 257], dtype=int32)
        """
        pairs = [(pieces[left], pieces[right]) for left, right in merges]
        return cls(
            pieces,
            pairs,
            pattern,
            CharacterClasses.of_library(),
            special,
            special_texts,
            keeps_whole_words,
            normalizes,
            more_eos,
        )

    @cached_property
    def splitter(self) -> WordSplitter:  # type: ignore[override]
        """Cuts texts into words."""
        return published_splitter(PATTERNS[self.pattern], self.classes)

    def normalize(self, text: str) -> str:
        """Return the text in Unicode's form NFC, if the published tokenizer does so."""
        return unicodedata.normalize("NFC", text) if self.normalizes else text

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own; see `Tokenizer.encode_all`."""
        return super().encode_all([self.normalize(text) for text in texts])

    def _word_starts(self) -> WordStarts:
        from textgen.tokenizer.graph.published_starts import PublishedStarts

        return PublishedStarts(PATTERNS[self.pattern], self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` builds the tokenizer again."""
        return {
            "kind": self.kind,
            "pattern": self.pattern,
            "keeps_whole_words": self.keeps_whole_words,
            "normalizes": self.normalizes,
            "special_tokens": self.special._asdict(),
            # Without it, tokenizers have the digests that they had before it existed.
            **({"more_eos": list(self._more_eos)} if self._more_eos else {}),
            "special_texts": {str(token): text for token, text in self._special_texts.items()},
            "classes": self.classes.to_dict(),
            "merges": [f"{to_symbols(left)} {to_symbols(right)}" for left, right in self.merges],
            "tokens": list(map(to_symbols, self._pieces)),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PublishedTokenizer:
        """Build the tokenizer from the result of `to_dict`.

        Raises:
            TokenizerError: If the values are not those of a tokenizer.
        """
        try:
            merges = [tuple(map(from_symbols, pair.split(" "))) for pair in values["merges"]]
            return cls(
                list(map(from_symbols, values["tokens"])),
                [(left, right) for left, right in merges],
                values["pattern"],
                CharacterClasses.from_dict(values["classes"]),
                SpecialTokens(**values["special_tokens"]),
                {int(token): text for token, text in values["special_texts"].items()},
                bool(values["keeps_whole_words"]),
                bool(values.get("normalizes", False)),
                [int(token) for token in values.get("more_eos", ())],
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise TokenizerError(f"The values are not those of a tokenizer ({error}).") from error
