"""Tokenizers as TensorFlow ops, so that a SavedModel maps strings to strings.

They use only core TensorFlow ops, without hash tables or tensorflow-text: a stock TensorFlow
Serving or a C program can run them, and nothing needs to be initialized.
"""

from textgen.tokenizer.graph.graph_byte_pair import (
    NO_TOKEN,
    BytePairGraphTokenizer,
    Merges,
    WordStarts,
)
from textgen.tokenizer.graph.graph_character import CharacterGraphTokenizer
from textgen.tokenizer.graph.graph_constant import GraphConstant
from textgen.tokenizer.graph.graph_sentence_piece import SentencePieceGraphTokenizer
from textgen.tokenizer.graph.graph_tokenizer import GraphTokenizer

__all__ = [
    "NO_TOKEN",
    "BytePairGraphTokenizer",
    "CharacterGraphTokenizer",
    "GraphConstant",
    "GraphTokenizer",
    "Merges",
    "SentencePieceGraphTokenizer",
    "WordStarts",
]
