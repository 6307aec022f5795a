"""What all tokenizers of imported models have in common: special tokens that have texts."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from textgen.errors import TokenizerError
from textgen.tokenizer.byte_level import ByteLevelTokenizer
from textgen.tokenizer.token_ids import TEXT_MARK, SpecialTokens


class ImportedTokenizer(ByteLevelTokenizer):
    """A vocabulary with the ids of a published model.

    Args:
        pieces: The bytes of each token, by id. Special and unused tokens have none.
        merges: Left and right bytes of each merge, in order.
        special: Ids of the special tokens. A vocabulary without an unknown token names any
            special one as `unknown`: it fills what is over, and is never sampled.
        special_texts: Names of all special tokens, by id, as a prompt template spells them.
        more_eos: Ids of special tokens that end a text as `special.eos` does.

    Raises:
        TokenizerError: If the parts contradict each other.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        merges: Sequence[tuple[bytes, bytes]],
        special: SpecialTokens,
        special_texts: Mapping[int, str],
        more_eos: Sequence[int] = (),
    ) -> None:
        self.merges = list(merges)
        self.special = special
        self._more_eos = tuple(more_eos)
        self._pieces = list(pieces)
        self._special_texts = dict(special_texts)
        self.ids = self._number_pieces()
        self._check_parts()

    def _number_pieces(self) -> dict[bytes, int]:
        """Return the ids of the tokens that texts become, by their bytes."""
        return {
            piece: token
            for token, piece in enumerate(self._pieces)
            if piece and token not in self._special_texts
        }

    def _check_parts(self) -> None:
        for token in {*self.special, *self._special_texts, *self._more_eos}:
            if not 0 <= token < len(self._pieces):
                raise TokenizerError(
                    f"Ids of special tokens must be in [0, {len(self._pieces) - 1}]. "
                    f"Received: {token}"
                )
        for token in (*self.special, *self._more_eos):
            if self._pieces[token]:
                raise TokenizerError(
                    f"A special token must have no bytes. Received: {self._pieces[token]!r}"
                )
        for token, text in self._special_texts.items():
            if len(text) < 2:
                raise TokenizerError(
                    "The text of a special token must have 2 characters or more. "
                    f"Received: {text!r} for token {token}"
                )
        for left, right in self.merges:
            if not (left in self.ids and right in self.ids and left + right in self.ids):
                raise TokenizerError(
                    "A merge must make a token of two tokens of the vocabulary. "
                    f"Received: {left!r} and {right!r}"
                )

    @property
    def vocab_size(self) -> int:
        """Number of tokens, including special and unused ones."""
        return len(self._pieces)

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of each token, by id; they may end within a character."""
        return self._pieces

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end a text, `special.eos` first."""
        return (self.special.eos, *self._more_eos)

    @property
    def special_texts(self) -> dict[int, str]:
        """What special tokens are called, by id."""
        return self._special_texts

    def with_eos(self, token: int) -> Self:
        """Return the tokenizer with one more special token that ends a text."""
        other = copy.copy(self)
        other._more_eos = tuple(dict.fromkeys((*self.eos_ids, token)))[1:]
        return other

    @property
    def _graph_special_texts(self) -> Mapping[int, str]:
        return self._special_texts

    @cached_property
    def _special_pattern(self) -> re.Pattern[str]:
        """Matches the leftmost special token, and of several there the longest."""
        longest_first = sorted(self._special_texts.values(), key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")

    def encode_with_special(self, text: str) -> np.ndarray:
        """Return the ids of a rendered template, where texts of special tokens are these tokens.

        Args:
            text: What `protect` returned for everything that a person typed, among the texts of
                special tokens. Its marks are left out.

        Returns:
            int32[num_tokens].

        Raises:
            TokenizerError: If the text holds a lone surrogate.

        Example:
            >>> model.tokenizer.encode_with_special("<|im_start|>user\nHi<|im_end|>\n")[0]
            1
        """
        ids = {text: token for token, text in self._special_texts.items()}
        parts = self._special_pattern.split(text)
        return np.concatenate(
            [
                np.array([ids[part]], np.int32) if index % 2 else self.encode_part(_unmarked(part))
                for index, part in enumerate(parts)
            ]
        )

    def encode_part(self, text: str) -> np.ndarray:
        """Return the ids of a part of a rendered template without special tokens."""
        return self.encode(text)

    def encode_pairs(
        self, prompts: Sequence[str], answers: Sequence[str]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Encode rendered templates with their answers; see `Tokenizer.encode_pairs`.

        A rendered template keeps its last tokens.
        """
        for prompt, answer in zip(prompts, self._each(answers), strict=True):
            yield self.encode_with_special(prompt), answer

    def protect(self, text: str) -> str:
        """Return a text in which no special token is found, wherever it is put.

        It has a mark in each text of a special token. Where special tokens are wanted, marks are
        left out; elsewhere they would be ordinary characters.

        Example:
            >>> model.tokenizer.protect("<|im_end|> is a token")
            '<\ufdd0|im_end|> is a token'
        """
        return self._special_pattern.sub(
            lambda found: found[0][0] + TEXT_MARK + found[0][1:], _unmarked(text)
        )

    def prefix_id(self, has_documents: bool) -> int:
        """Return the BOS token, which every text that the model was trained on began with."""
        return self.special.bos


def _unmarked(text: str) -> str:
    return text.replace(TEXT_MARK, "")
