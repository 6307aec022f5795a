"""Learning a tokenizer, and choosing the kind that suits a corpus."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

from textgen.tokenizer.byte_pair import BytePairTokenizer
from textgen.tokenizer.character import CharacterTokenizer, count_characters
from textgen.tokenizer.tokenizer import Tokenizer

# A smaller corpus gets characters.
_MIN_BPE_CHARACTERS = 100_000
_MIN_VOCAB_SIZE, _MAX_VOCAB_SIZE = 2**9, 2**14
# BPE learns from 5 million characters per second; more than these would only confirm which
# words are frequent.
_MAX_LEARNED_CHARACTERS = 50_000_000


def recommended(num_characters: int, num_distinct_characters: int) -> tuple[str, int]:
    """Return the kind of tokenizer that suits a corpus, and its number of tokens.

    BPE is the rule, because each training step then sees two or three times the text: after
    1000 steps on Shakespeare (1.1 million characters), the small Transformer reached 2.36 bits
    per character with 2048 BPE tokens and 2.87 with characters. There are two exceptions:

    - A small corpus. On fables of 34 thousand characters, the best weights had 2.24 bits per
      character with either, and with BPE the model had memorized the training text after 200
      steps.
    - A script of many characters. A Chinese character is half a word already; BPE pays only if
      the vocabulary has room for several tokens per character.

    The vocabulary grows with the square root of the corpus, as the number of distinct words
    does (Heaps' law), rounded to a power of two.

    Args:
        num_characters: Characters in the training part.
        num_distinct_characters: Distinct characters among them.

    Returns:
        `Tokenizer.kind`, and the `vocab_size` of a BPE tokenizer.

    Example:
        >>> recommended(1_000_000, 65)
        ('bpe', 2048)
    """
    vocab_size = 2 ** round(math.log2(2 * math.sqrt(max(num_characters, 1))))
    vocab_size = max(_MIN_VOCAB_SIZE, min(vocab_size, _MAX_VOCAB_SIZE))
    is_small = num_characters < _MIN_BPE_CHARACTERS
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

    BPE learns from at most 50 million characters; from a longer corpus it takes evenly spaced
    texts.

    Args:
        texts: Returns an iterator over the training part at every call.
        kind: `"character"`, `"bpe"`, or `"auto"` for the kind that `recommended` returns.
        vocab_size: Number of BPE tokens. Defaults to what `recommended` returns.
        min_count: Characters that appear less often become the unknown token of `"character"`.

    Raises:
        TokenizerError: If the texts give no vocabulary.
        ConfigError: If `vocab_size` is out of range.

    Example:
        >>> learn_tokenizer(lambda: ["to be or not to be"], "auto").kind
        'character'
    """
    num_characters = 0

    def counted() -> Iterable[str]:
        nonlocal num_characters
        for text in texts():
            num_characters += len(text)
            yield text

    # Every distinct character counts, whatever `min_count` is: BPE represents rare ones too.
    counts = count_characters(counted())
    best, size = recommended(num_characters, len(counts))
    if kind == CharacterTokenizer.kind or (kind == "auto" and best == CharacterTokenizer.kind):
        return CharacterTokenizer.from_counts(counts, min_count)
    stride = max(1, num_characters // _MAX_LEARNED_CHARACTERS)
    sample = itertools.islice(texts(), 0, None, stride)
    return BytePairTokenizer.learn(sample, size if vocab_size is None else vocab_size)
