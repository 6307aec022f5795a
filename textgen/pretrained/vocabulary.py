"""The tokenizer of a published model, from what its files say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from textgen.errors import PublishedModelError, TokenizerError
from textgen.tokenizer import PublishedTokenizer, SpecialTokens
from textgen.tokenizer.byte_symbols import from_symbols

# What separates documents in the training text of most models.
_END_OF_TEXT = "<|endoftext|>"
_MAX_TOKENS = 1 << 20


class Vocabulary(NamedTuple):
    """A byte-level BPE vocabulary as files hold it.

    Attributes:
        tokens: The text of every token by id, in GPT-2's symbols unless it is added.
        added: Ids of tokens that BPE does not make, and whether they are special: whether they
            stand for no text. Theirs is plain.
        merges: Texts of the two tokens of each merge, in order.
        pattern: How texts are cut into words; see `textgen.tokenizer`.
        keeps_whole_words: Whether a word that is a token is never merged of parts.
        bos: Id of the token that precedes every text, if one does.
        eos: Id of the token that ends a text or a turn.
        normalizes: Whether texts are brought into Unicode's form NFC first.
    """

    tokens: Sequence[str | None]
    added: Mapping[int, bool]
    merges: Sequence[tuple[str, str]]
    pattern: str
    keeps_whole_words: bool
    bos: int | None
    eos: int
    normalizes: bool = False

    def tokenizer(self) -> PublishedTokenizer:
        """Return the tokenizer.

        Raises:
            PublishedModelError: If the parts contradict each other.
        """
        size = len(self.tokens)
        if not 0 < size <= _MAX_TOKENS:
            raise PublishedModelError(
                f"A vocabulary must have 1 to {_MAX_TOKENS:,} tokens. Received: {size:,}"
            )
        for name, token in (("bos", self.bos), ("eos", self.eos)):
            if token is not None and not 0 <= token < size:
                raise PublishedModelError(
                    f"The id of the {name} token must be in [0, {size - 1}]. Received: {token}"
                )
        bos = self._first_token()
        silent = {token for token, is_special in self.added.items() if is_special}
        silent |= {self.eos, bos}
        try:
            pieces = [self._piece(token, silent) for token in range(size)]
            ids = {text: token for token, text in enumerate(self.tokens) if text is not None}
            merges = [(ids[left], ids[right]) for left, right in self.merges]
            return PublishedTokenizer.from_vocabulary(
                pieces,
                merges,
                self.pattern,
                SpecialTokens(unknown=self.eos, bos=bos, eos=self.eos),
                {token: self.tokens[token] or "" for token in sorted(silent | {*self.added})},
                keeps_whole_words=self.keeps_whole_words,
                normalizes=self.normalizes,
            )
        except KeyError as error:
            raise PublishedModelError(
                f"The vocabulary has no token {error.args[0]!r}, of which a merge is made."
            ) from error
        except (TokenizerError, ValueError) as error:
            raise PublishedModelError(f"The vocabulary is damaged: {error}") from error

    def _first_token(self) -> int:
        """Return what precedes every text: BOS, or else what separated documents."""
        if self.bos is not None:
            return self.bos
        return next((i for i in self.added if self.tokens[i] == _END_OF_TEXT), self.eos)

    def _piece(self, token: int, silent: set[int]) -> bytes:
        text = self.tokens[token]
        if text is None or token in silent:
            return b""
        return text.encode("utf-8") if token in self.added else from_symbols(text)


def writable_tokens(tokenizer: PublishedTokenizer) -> np.ndarray:
    """Return which tokens a model may write, bool[V]: those with bytes, and EOS.

    The others are special, or never occurred in the text that the model was trained on.
    """
    is_writable = np.array([bool(piece) for piece in tokenizer.pieces])
    is_writable[tokenizer.special.eos] = True
    return is_writable
