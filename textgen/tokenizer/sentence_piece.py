"""The tokenizer of Llama 2, TinyLlama and Mistral: SentencePiece's BPE of characters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from textgen.errors import TokenizerError
from textgen.tokenizer.byte_symbols import from_symbols, to_symbols
from textgen.tokenizer.imported import ImportedTokenizer
from textgen.tokenizer.lexicon import Lexicon
from textgen.tokenizer.splitter import WordSplitter
from textgen.tokenizer.token_ids import SpecialTokens

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer, WordStarts

# How these vocabularies spell a space.
SPACE_SYMBOL = "\u2581"
# Whether a text begins with one more space: always, unless it begins with one already, the same
# but not in a rendered template, or never.
PREFIXES = ("always", "missing", "first", "never")
# No token holds a space after another character, so no merge crosses the beginning of a word.
_WORDS = WordSplitter(" +[^ ]*|[^ ]+", seam="[^ ](?= )")
_WHOLE_TEXT = WordSplitter("(?s:.+)", seam="(?!)")
_INNER_SPACE = re.compile(rb"[^ ] ")


class SentencePieceTokenizer(ImportedTokenizer):
    """A vocabulary of characters, of merges, and of the 256 bytes for all other characters.

    Its ids equal those of Hugging Face's `tokenizers` for any text. A space and "\u2581" are the
    same character.

    Args:
        pieces: The bytes of each token, by id. Special and unused tokens have none.
        merges: Left and right bytes of each merge, in order.
        byte_tokens: The ids of the 256 tokens of one byte each.
        prefix: When a text begins with one more space, one of `PREFIXES`.
        special: Ids of the special tokens.
        special_texts: Names of all special tokens, by id, as a prompt template spells them.
        more_eos: Ids of special tokens that end a text as `special.eos` does.

    Raises:
        TokenizerError: If the parts contradict each other.

    Example:
        >>> pieces = [b"", *(bytes([byte]) for byte in range(256)), b" ", b"a", b" a"]
        >>> special = SpecialTokens(unknown=0, bos=0, eos=0)
        >>> tokenizer = SentencePieceTokenizer(
        ...     pieces, [(b" ", b"a")], range(1, 257), "always", special, {0: "</s>"}
        ... )
        >>> tokenizer.encode("a é")
        array([259, 257, 196, 170], dtype=int32)

    Reference:
        Kudo and Richardson, "SentencePiece: A simple and language independent subword tokenizer
        and detokenizer for Neural Text Processing", 2018, https://arxiv.org/abs/1808.06226.
    """

    kind = "sentence_piece"

    def __init__(
        self,
        pieces: Sequence[bytes],
        merges: Sequence[tuple[bytes, bytes]],
        byte_tokens: Sequence[int],
        prefix: str,
        special: SpecialTokens,
        special_texts: Mapping[int, str],
        more_eos: Sequence[int] = (),
    ) -> None:
        if prefix not in PREFIXES:
            raise TokenizerError(
                f"prefix must be one of {', '.join(PREFIXES)}. Received: {prefix!r}"
            )
        if [pieces[token] for token in byte_tokens if 0 <= token < len(pieces)] != [
            bytes([byte]) for byte in range(256)
        ]:
            raise TokenizerError("byte_tokens must be the tokens of all 256 bytes, in order")
        self.prefix = prefix
        self.byte_tokens = list(byte_tokens)
        super().__init__(pieces, merges, special, special_texts, more_eos)
        if b" " not in self.ids:
            raise TokenizerError("A vocabulary of SentencePiece must hold a space.")

    def _number_pieces(self) -> dict[bytes, int]:
        # A character may be a token, and its byte another one, which stands for no text then.
        of_bytes = {self._pieces[token]: token for token in self.byte_tokens}
        others = {
            piece: token
            for token, piece in enumerate(self._pieces)
            if piece and token not in self._special_texts and of_bytes.get(piece) != token
        }
        return of_bytes | others

    @cached_property
    def splitter(self) -> WordSplitter:  # type: ignore[override]
        """Cuts texts into words, if no merge crosses the beginning of one."""
        return _WORDS if self._has_words else _WHOLE_TEXT

    @cached_property
    def _has_words(self) -> bool:
        return not any(_INNER_SPACE.search(left + right) for left, right in self.merges)

    @cached_property
    def _lexicon(self) -> Lexicon:
        from tokenizers import Tokenizer, models

        bytes_of = set(self.byte_tokens)
        vocabulary = {f"<0x{byte:02X}>": token for byte, token in enumerate(self.byte_tokens)}
        for piece, token in self.ids.items():
            if token not in bytes_of:
                vocabulary[piece.decode("utf-8")] = token
        merges = [(left.decode("utf-8"), right.decode("utf-8")) for left, right in self.merges]
        model = models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True)
        encode = Tokenizer(model).encode_batch_fast
        return Lexicon(lambda words: (each.ids for each in encode(words)))

    def normalize(self, text: str) -> str:
        """Return the text as it is encoded, but for the space that precedes it."""
        return text.replace(SPACE_SYMBOL, " ")

    def _begun(self, text: str) -> str:
        has_prefix = self.prefix == "always" or (self.prefix != "never" and text[:1] != " ")
        return f" {text}" if text and has_prefix else text

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own; see `Tokenizer.encode_all`."""
        return super().encode_all([self._begun(self.normalize(text)) for text in texts])

    def encode_part(self, text: str) -> np.ndarray:
        """Return the ids of a part of a rendered template; see `ImportedTokenizer`."""
        if self.prefix == "first":  # the BOS token is the first of all parts
            return super(ImportedTokenizer, self).encode_all([self.normalize(text)])[0]
        return self.encode(text)

    def _word_starts(self) -> WordStarts:
        raise NotImplementedError  # `in_graph` does without

    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""
        from textgen.tokenizer.graph import Merges, SentencePieceGraphTokenizer

        ids = self.ids
        rows = [(ids[left], ids[right], ids[left + right]) for left, right in self.merges]
        return SentencePieceGraphTokenizer(
            Merges(np.array(self.byte_tokens, np.int32), np.array(rows, np.int64).reshape(-1, 3)),
            self._characters(),
            self.prefix,
            self._has_words,
            self.pieces,
            self.special,
            self.special_texts,
            self.eos_ids,
        )

    def _characters(self) -> dict[int, int]:
        """Return the tokens of single characters, by their code points, in order."""
        bytes_of = set(self.byte_tokens)
        texts = {
            piece.decode("utf-8"): token
            for piece, token in self.ids.items()
            if token not in bytes_of
        }
        return dict(sorted((ord(text), token) for text, token in texts.items() if len(text) == 1))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` builds the tokenizer again."""
        return {
            "kind": self.kind,
            "prefix": self.prefix,
            "byte_tokens": self.byte_tokens,
            "special_tokens": self.special._asdict(),
            "more_eos": list(self.eos_ids[1:]),
            "special_texts": {str(token): text for token, text in self.special_texts.items()},
            "merges": [f"{to_symbols(left)} {to_symbols(right)}" for left, right in self.merges],
            "tokens": list(map(to_symbols, self.pieces)),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SentencePieceTokenizer:
        """Build the tokenizer from the result of `to_dict`.

        Raises:
            TokenizerError: If the values are not those of a tokenizer.
        """
        try:
            merges = [tuple(map(from_symbols, pair.split(" "))) for pair in values["merges"]]
            return cls(
                list(map(from_symbols, values["tokens"])),
                [(left, right) for left, right in merges],
                [int(token) for token in values["byte_tokens"]],
                values["prefix"],
                SpecialTokens(**values["special_tokens"]),
                {int(token): text for token, text in values["special_texts"].items()},
                [int(token) for token in values["more_eos"]],
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise TokenizerError(f"The values are not those of a tokenizer ({error}).") from error
