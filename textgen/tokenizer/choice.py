"""Which tokenizer suits a corpus, and learning it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

from textgen.tokenizer.base import Tokenizer
from textgen.tokenizer.byte_pair import BytePairTokenizer
from textgen.tokenizer.character import CharacterTokenizer, count_characters

_FEWEST_CHARACTERS = 100_000
_SMALLEST_VOCABULARY, _LARGEST_VOCABULARY = 2**9, 2**14
# Byte pairs are learned at 5 million characters a second; more than these would only confirm
# which words are frequent.
_MOST_CHARACTERS = 50_000_000


def recommended(num_characters: int, num_distinct_characters: int) -> tuple[str, int]:
    """Return the kind of tokenizer for a corpus, and how many tokens it should have.

    Byte pairs, because a step then learns from two or three times the text: the small
    Transformer had 2.36 bits a character after 1000 steps on Shakespeare (1.1 million
    characters) with 2048 byte pairs, 2.87 with characters. Two things speak for characters:

    - A small corpus. On fables of 34 thousand characters the best weights had 2.24 bits with
      either, and with byte pairs learned the training text by heart after 200 steps.
    - A script of many characters. A Chinese character is half a word already; byte pairs pay
      only where there is room for several tokens a character.

    The vocabulary grows with the root of the corpus, as the number of different words does
    (Heaps' law), to the nearest power of two.

    Args:
        num_characters: of the training part.
        num_distinct_characters: how many of them differ.

    Returns:
        `Tokenizer.kind`, and the `vocab_size` of byte pairs.
    """
    vocab_size = 2 ** round(math.log2(2 * math.sqrt(max(num_characters, 1))))
    vocab_size = max(_SMALLEST_VOCABULARY, min(vocab_size, _LARGEST_VOCABULARY))
    is_small = num_characters < _FEWEST_CHARACTERS
    has_many = vocab_size < 4 * num_distinct_characters
    kind = CharacterTokenizer.kind if is_small or has_many else BytePairTokenizer.kind
    return kind, vocab_size


def learn_tokenizer(
    texts: Callable[[], Iterable[str]],
    kind: str,
    vocab_size: int | None = None,
    min_count: int = 1,
) -> Tokenizer:
    """Learn a tokenizer.

    Byte pairs are learned from 50 million characters at most: of a longer corpus, from texts
    at even distances.

    Args:
        texts: gives the training part, anew at every call.
        kind: `"character"`, `"bpe"`, or `"auto"` for what `recommended` says.
        vocab_size: of byte pairs; what `recommended` says where `None`.
        min_count: characters seen less often become the unknown token of `"character"`.

    Raises:
        TokenizerError: the texts give no vocabulary.
        ConfigError: the vocabulary's size is outside its range.
    """
    num_characters = 0

    def counted() -> Iterable[str]:
        nonlocal num_characters
        for text in texts():
            num_characters += len(text)
            yield text

    # Of all characters: byte pairs write every one, however rare.
    counts = count_characters(counted())
    best, size = recommended(num_characters, len(counts))
    if kind == CharacterTokenizer.kind or (kind == "auto" and best == CharacterTokenizer.kind):
        return CharacterTokenizer.of_counts(counts, min_count)
    stride = max(1, num_characters // _MOST_CHARACTERS)
    sample = itertools.islice(texts(), 0, None, stride)
    return BytePairTokenizer.learn(sample, size if vocab_size is None else vocab_size)
