"""The tokenizer of a published model, from what its files say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from textgen.errors import PublishedModelError, TokenizerError
from textgen.tokenizer import ImportedTokenizer, PublishedTokenizer, SpecialTokens
from textgen.tokenizer.byte_symbols import from_symbols

# What separates documents in the training text of most models.
_END_OF_TEXT = "<|endoftext|>"
_MAX_TOKENS = 1 << 20


class Vocabulary(NamedTuple):
    """A byte-level BPE vocabulary as files hold it.

    Attributes:
        tokens: The text of every token by id, in GPT-2's symbols unless it is added.
        added: Ids of tokens that BPE does not make, and whether they are special: whether they
            stand for no text. Their texts are not spelled in symbols.
        merges: Texts of the two tokens of each merge, in order.
        pattern: How texts are cut into words; see `textgen.tokenizer`.
        keeps_whole_words: Whether a word that is a token is never merged of parts.
        bos: Id of the token that precedes every text, if one does.
        eos: Ids of the tokens that end a text or a turn, the usual one first.
        normalizes: Whether texts are first normalized to Unicode's form NFC.
    """

    tokens: Sequence[str | None]
    added: Mapping[int, bool]
    merges: Sequence[tuple[str, str]]
    pattern: str
    keeps_whole_words: bool
    bos: int | None
    eos: Sequence[int]
    normalizes: bool = False

    def tokenizer(self) -> PublishedTokenizer:
        """Return the tokenizer.

        Raises:
            PublishedModelError: If the parts contradict each other.
        """
        size = len(self.tokens)
        check_ids(size, bos=self.bos, eos=self.eos)
        eos, bos = self.eos[0], self._first_token()
        silent = {token for token, is_special in self.added.items() if is_special}
        silent |= {*self.eos, bos}
        try:
            pieces = [self._piece(token, silent) for token in range(size)]
            ids = {text: token for token, text in enumerate(self.tokens) if text is not None}
            merges = [(ids[left], ids[right]) for left, right in self.merges]
            return PublishedTokenizer.from_vocabulary(
                pieces,
                merges,
                self.pattern,
                SpecialTokens(unknown=eos, bos=bos, eos=eos),
                {token: self.tokens[token] or "" for token in sorted(silent | {*self.added})},
                keeps_whole_words=self.keeps_whole_words,
                normalizes=self.normalizes,
                more_eos=self.eos[1:],
            )
        except KeyError as error:
            raise PublishedModelError(
                f"The vocabulary has no token {error.args[0]!r}, of which a merge is made."
            ) from error
        except (TokenizerError, TypeError, ValueError) as error:
            raise PublishedModelError(f"The vocabulary is damaged: {error}") from error

    def _first_token(self) -> int:
        """Return what precedes every text: BOS, or else what separated documents."""
        if self.bos is not None:
            return self.bos
        return next((i for i in self.added if self.tokens[i] == _END_OF_TEXT), self.eos[0])

    def _piece(self, token: int, silent: set[int]) -> bytes:
        text = self.tokens[token]
        if text is None or token in silent:
            return b""
        return text.encode("utf-8") if token in self.added else from_symbols(text)


def check_ids(size: int, **named: int | Sequence[int] | None) -> None:
    """Check the size of a vocabulary, and the ids of its special tokens.

    Args:
        size: Number of tokens.
        **named: The id or ids of each special token; `None` if there is none.

    Raises:
        PublishedModelError: If one is out of range.
    """
    if not 0 < size <= _MAX_TOKENS:
        raise PublishedModelError(
            f"A vocabulary must have 1 to {_MAX_TOKENS:,} tokens. Received: {size:,}"
        )
    for name, ids in named.items():
        for token in [ids] if isinstance(ids, int) else ids or ():
            if not 0 <= token < size:
                raise PublishedModelError(
                    f"The id of the {name} token must be in [0, {size - 1}]. Received: {token}"
                )


def writable_tokens(tokenizer: ImportedTokenizer) -> np.ndarray:
    """Return which tokens a model may generate, bool[V]: those with bytes or that end texts.

    The others are special, or never occurred in the text that the model was trained on.
    """
    # A byte that is a character with a token of its own is never that byte's token.
    is_writable = np.array(
        [
            bool(piece) and tokenizer.ids.get(piece, token) == token
            for token, piece in enumerate(tokenizer.pieces)
        ]
    )
    is_writable[[*tokenizer.eos_ids]] = True
    return is_writable
