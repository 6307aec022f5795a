"""Vocabularies of SentencePiece's BPE, from what files say: Llama 2, TinyLlama, Mistral."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from textgen.errors import PublishedModelError, TokenizerError
from textgen.pretrained.vocabulary import check_ids
from textgen.tokenizer import SentencePieceTokenizer, SpecialTokens
from textgen.tokenizer.sentence_piece import SPACE_SYMBOL

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class SentencePieceVocabulary(NamedTuple):
    """A vocabulary as files hold it.

    Attributes:
        tokens: The text of every token by id; a byte's is "<0x41>".
        added: Ids of tokens that BPE does not make, and whether they are special.
        merges: Texts of the two tokens of each merge, in order.
        prefix: When a text begins with one more space; see `SentencePieceTokenizer`.
        unknown: Id of the token for characters without another one, if there is one.
        bos: Id of the token that precedes every text, if one does.
        eos: Ids of the tokens that end a text or a turn, the usual one first.
    """

    tokens: Sequence[str | None]
    added: Mapping[int, bool]
    merges: Sequence[tuple[str, str]]
    prefix: str
    unknown: int | None
    bos: int | None
    eos: Sequence[int]

    def tokenizer(self) -> SentencePieceTokenizer:
        """Return the tokenizer.

        Raises:
            PublishedModelError: If the parts contradict each other.
        """
        check_ids(len(self.tokens), bos=self.bos, unk=self.unknown, eos=self.eos)
        eos = self.eos[0]
        bos = eos if self.bos is None else self.bos
        unknown = eos if self.unknown is None else self.unknown
        silent = {token for token, is_special in self.added.items() if is_special}
        silent |= {*self.eos, bos, unknown}
        bytes_of = {
            int(found[1], 16): token
            for token, text in enumerate(self.tokens)
            if text is not None and (found := _BYTE.fullmatch(text))
        }
        if len(bytes_of) < 256:
            raise PublishedModelError(
                "A vocabulary of SentencePiece must have a token for every byte. "
                f"Received: {len(bytes_of)} of 256"
            )
        other = silent | {*self.added} | {*bytes_of.values()}
        ids = {text: token for token, text in enumerate(self.tokens) if text is not None}
        values = {token: byte for byte, token in bytes_of.items()}
        try:
            pieces = [
                bytes([values[token]]) if token in values else self._piece(token, silent)
                for token in range(len(self.tokens))
            ]
            return SentencePieceTokenizer(
                pieces,
                [
                    (pieces[ids[left]], pieces[ids[right]])
                    for left, right in self.merges
                    # What looks like a special token or a byte is made of other tokens.
                    if ids[left + right] not in other
                ],
                [bytes_of[byte] for byte in range(256)],
                self.prefix,
                SpecialTokens(unknown=unknown, bos=bos, eos=eos),
                {token: self.tokens[token] or "" for token in sorted(silent | {*self.added})},
                self.eos[1:],
            )
        except KeyError as error:
            raise PublishedModelError(
                f"The vocabulary has no token {error.args[0]!r}, of which a merge is made."
            ) from error
        except (TokenizerError, ValueError) as error:
            raise PublishedModelError(f"The vocabulary is damaged: {error}") from error

    def _piece(self, token: int, silent: set[int]) -> bytes:
        text = self.tokens[token]
        if text is None or token in silent:
            return b""
        return (text if token in self.added else text.replace(SPACE_SYMBOL, " ")).encode("utf-8")


def merges_of_scores(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the merges of a vocabulary that has scores instead: the best token goes first.

    Of the pairs that make one token, those of longer left parts go first, as in Hugging Face's
    `transformers`.

    Args:
        scores: The score of each token that merging may make, by its text.

    Example:
        >>> merges_of_scores({"a": -3.0, "b": -4.0, "c": -5.0, "ab": -1.0, "abc": -2.0})
        [('a', 'b'), ('ab', 'c')]
    """
    ranks = {text: rank for rank, text in enumerate(scores)}
    found = []
    for text, score in scores.items():
        pairs = ((text[:size], text[size:]) for size in range(1, len(text)))
        known = [pair for pair in pairs if pair[0] in scores and pair[1] in scores]
        known.sort(key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
        found += [(score, len(left), len(right), left, right) for left, right in known]
    found.sort(key=lambda each: each[:3], reverse=True)
    return [(left, right) for *_, left, right in found]


def prefix_of(values: Mapping[str, Any]) -> str | None:
    """Return when texts begin with one more space, by a tokenizer.json; `None` if it is another.

    Args:
        values: The content of the file.
    """
    steps = _steps(values.get("normalizer"), "normalizers")
    cuts = _steps(values.get("pre_tokenizer"), "pretokenizers")
    kinds = [step["type"] for step in steps]
    if not cuts and kinds in (["Prepend", "Replace"], ["Replace"]):
        replace = steps[-1]
        is_known = replace["pattern"] == {"String": " "} and replace["content"] == SPACE_SYMBOL
        has_prefix = kinds[0] == "Prepend"
        if is_known and (not has_prefix or steps[0]["prepend"] == SPACE_SYMBOL):
            return "always" if has_prefix else "never"
    if not steps and [cut["type"] for cut in cuts] == ["Metaspace"]:
        cut = cuts[0]
        scheme = cut.get("prepend_scheme", "always" if cut.get("add_prefix_space", True) else None)
        if cut["replacement"] == SPACE_SYMBOL and cut.get("split", True) is False:
            return {"always": "missing", "first": "first", "never": "never"}.get(str(scheme))
    return None


def _steps(step: Any, name: str) -> list[Mapping[str, Any]]:
    return step.get(name, [step]) if step else []
