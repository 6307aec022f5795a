"""Tokenizers: text to token ids and back, with the same ids on the host and in the graph."""

from textgen.tokenizer.base import Tokenizer, load_tokenizer
from textgen.tokenizer.byte_pair import BytePairTokenizer
from textgen.tokenizer.character import CharacterTokenizer
from textgen.tokenizer.choice import learn_tokenizer, recommended

__all__ = [
    "BytePairTokenizer",
    "CharacterTokenizer",
    "Tokenizer",
    "learn_tokenizer",
    "load_tokenizer",
    "recommended",
]
