"""Byte-level BPE, whatever the vocabulary: how texts are cut, looked up and merged."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from textgen.tokenizer.batches import batches
from textgen.tokenizer.byte_symbols import to_symbols
from textgen.tokenizer.lexicon import Lexicon
from textgen.tokenizer.splitter import WordSplitter
from textgen.tokenizer.tokenizer import Tokenizer

if TYPE_CHECKING:
    from textgen.tokenizer.graph import GraphTokenizer, WordStarts


class ByteLevelTokenizer(Tokenizer):
    """Cuts a text into words and a word into its UTF-8 bytes, and merges pairs of neighbors.

    The pair of the earliest merge goes first, again and again.

    Attributes:
        merges: Left and right bytes of each merge, in order.
        splitter: Cuts texts into words.
        ids: The id of each token's bytes. Holds the 256 bytes and what every merge makes.
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
        from tokenizers import Tokenizer, models, pre_tokenizers

        vocabulary = {to_symbols(piece): token for piece, token in self.ids.items()}
        merges = [(to_symbols(left), to_symbols(right)) for left, right in self.merges]
        engine = Tokenizer(
            models.BPE(vocab=vocabulary, merges=merges, ignore_merges=self.keeps_whole_words)
        )
        engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return Lexicon(lambda words: (each.ids for each in engine.encode_batch_fast(words)))

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
        """Return an empty list: every character has bytes."""
        return []

    def in_graph(self) -> GraphTokenizer:
        """Return TensorFlow ops that compute the same ids inside a graph."""
        from textgen.tokenizer.graph import BytePairGraphTokenizer, Merges

        ids = self.ids
        rows = [(ids[left], ids[right], ids[left + right]) for left, right in self.merges]
        merges = Merges(
            np.array([ids[bytes([byte])] for byte in range(256)], np.int32),
            np.array(rows, np.int64).reshape(-1, 3),
        )
        return BytePairGraphTokenizer(merges, self._word_starts(), self.pieces, self.special)
