"""Tokenizers: text to token ids and back.

Each has two halves that compute the same ids: NumPy here, TensorFlow ops in `graph/`.
"""

from textgen.tokenizer.byte_pair import BytePairTokenizer
from textgen.tokenizer.character import CharacterTokenizer
from textgen.tokenizer.imported import ImportedTokenizer
from textgen.tokenizer.learning import learn_tokenizer, recommended
from textgen.tokenizer.loading import load_tokenizer
from textgen.tokenizer.published import PublishedTokenizer
from textgen.tokenizer.sentence_piece import SentencePieceTokenizer
from textgen.tokenizer.token_ids import SpecialTokens
from textgen.tokenizer.tokenizer import Tokenizer

__all__ = [
    "BytePairTokenizer",
    "CharacterTokenizer",
    "ImportedTokenizer",
    "PublishedTokenizer",
    "SentencePieceTokenizer",
    "SpecialTokens",
    "Tokenizer",
    "learn_tokenizer",
    "load_tokenizer",
    "recommended",
]
