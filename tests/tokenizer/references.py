"""Tokenizers of the `tokenizers` library, as published models have them, and ours of the same."""

import json
from functools import cache

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from textgen.tokenizer import PublishedTokenizer, SpecialTokens
from textgen.tokenizer.byte_symbols import from_symbols

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def pre_tokenizer(pattern):
    if pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    regex = LLAMA3 if pattern == "llama3" else LLAMA3.replace("{1,3}", "")
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


@cache
def learned(pattern, corpus, vocab_size=700):
    """A tokenizer of the library, learned from a corpus, with special tokens in front."""
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizer(pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    reference.train_from_iterator([corpus], trainer)
    return reference


def ours(reference, pattern, **options):
    """Our tokenizer with the vocabulary of a reference."""
    model = json.loads(reference.to_str())["model"]
    ids = model["vocab"]
    texts = {ids[text]: text for text in SPECIALS if text in ids}
    pieces = [b""] * len(ids)
    for symbols, token in ids.items():
        if token not in texts:
            pieces[token] = from_symbols(symbols)
    merges = [(ids[left], ids[right]) for left, right in model["merges"]]
    end = ids[SPECIALS[2]]
    special = SpecialTokens(unknown=ids[SPECIALS[0]], bos=ids[SPECIALS[0]], eos=end)
    return PublishedTokenizer.from_vocabulary(pieces, merges, pattern, special, texts, **options)
