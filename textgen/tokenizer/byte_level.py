"""Byte-level BPE, whatever the vocabulary: how texts are cut, looked up and merged."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.tokenizer.batches import batches
from textgen.tokenizer.byte_symbols import to_symbols
from textgen.tokenizer.lexicon import Lexicon
from textgen.tokenizer.splitter import WordSplitter
from textgen.tokenizer.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tokenizers

    from textgen.tokenizer.graph import GraphTokenizer, WordStarts


class ByteLevelTokenizer(Tokenizer):
    """Cuts a text into words and a word into its UTF-8 bytes, and merges pairs of neighbors.

    The pair of the earliest merge goes first, again and again.

    Attributes:
        merges: Left and right bytes of each merge, in order.
        splitter: Cuts texts into words.
        ids: The id of each token's bytes. Bytes that it does not hold are left out of texts.
        keeps_whole_words: Whether a word that is a token is never merged of parts.
    """

    merges: list[tuple[bytes, bytes]]
    splitter: WordSplitter
    ids: dict[bytes, int]
    keeps_whole_words = False

    @abstractmethod
    def _word_starts(self) -> WordStarts:
        """Return the ops that mark where words start inside a graph."""

    @cached_property
    def _lexicon(self) -> Lexicon:
        encode = self._engine(self.keeps_whole_words).encode_batch_fast
        return Lexicon(
            lambda words: (
                each.ids for each in encode([to_symbols(word.encode()) for word in words])
            )
        )

    def _engine(self, keeps_whole_words: bool) -> tokenizers.Tokenizer:
        """Return the merges as a tokenizer of the library, of words in symbols."""
        from tokenizers import Tokenizer, models

        vocabulary = {to_symbols(piece): token for piece, token in self.ids.items()}
        merges = [(to_symbols(left), to_symbols(right)) for left, right in self.merges]
        return Tokenizer(
            models.BPE(vocab=vocabulary, merges=merges, ignore_merges=keeps_whole_words)
        )

    def encode_all(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text on its own; see `Tokenizer.encode_all`."""
        split = self.splitter
        all_ids, counts = [np.zeros(0, np.int32)], np.zeros(len(texts), np.int64)
        pending = ((row, part) for row, text in enumerate(texts) for part in split.parts(text))
        # In batches, because every word is a Python object while it is looked up.
        for batch in batches(pending, lambda item: len(item[1])):
            rows, words = zip(*((row, split.words(part)) for row, part in batch), strict=True)
            ids, lengths = self._lexicon.look_up([*itertools.chain.from_iterable(words)])
            all_ids.append(ids)
            num_tokens = np.cumsum(lengths)[np.cumsum([len(each) for each in words]) - 1]
            np.add.at(counts, list(rows), np.diff(num_tokens, prepend=0))
        return np.concatenate(all_ids), counts

    def unknown_characters(self, text: str) -> list[str]:
        """Return the distinct characters of `text` with a byte that has no id, in order."""
        missing = {byte for byte in range(256) if bytes([byte]) not in self.ids}
        if not missing:
            return []
        return [character for character in dict.fromkeys(text) if missing & {*character.encode()}]

    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""
        from textgen.tokenizer.graph import NO_TOKEN, BytePairGraphTokenizer, Merges

        ids = self.ids
        rows = [(ids[left], ids[right], ids[left + right]) for left, right in self.merges]
        merges = Merges(
            np.array([ids.get(bytes([byte]), NO_TOKEN) for byte in range(256)], np.int32),
            np.array(rows, np.int64).reshape(-1, 3),
        )
        return BytePairGraphTokenizer(
            merges,
            self._word_starts(),
            self.pieces,
            self.special,
            self._graph_special_texts,
            self._whole_words(),
            self.eos_ids,
        )

    @property
    def _graph_special_texts(self) -> Mapping[int, str]:
        """The texts by which a prompt may ask for special tokens, by id."""
        return {}

    def _whole_words(self) -> dict[bytes, int]:
        """Return the tokens that are whole words but that merging makes of other tokens."""
        if not self.keeps_whole_words:
            return {}
        engine = self._engine(keeps_whole_words=False)
        made = engine.encode_batch_fast([to_symbols(piece) for piece in self.ids])
        return {
            piece: token
            for (piece, token), each in zip(self.ids.items(), made, strict=True)
            if each.ids != [token]
        }
